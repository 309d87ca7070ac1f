// Command columns lists the lines of Go files that are longer than 120 columns, a tab being one, and fails where there
// are some. What a raw string makes long (text that is written as it is, and struct tags) counts only up to its start.
//
//	go run ./columns FOLDER
package main

import (
	"bytes"
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

const most = 120

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: columns FOLDER")
		os.Exit(2)
	}
	long := 0
	err := filepath.WalkDir(os.Args[1], func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && path != os.Args[1] && (strings.HasPrefix(name, ".") || name == "build"):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, line := range longLines(source) {
			fmt.Printf("%s:%d: longer than %d columns\n", path, line, most)
			long++
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "columns:", err)
		os.Exit(1)
	}
	if long > 0 {
		os.Exit(1)
	}
}

// longLines are the numbers of the lines that are too long.
func longLines(source []byte) []int {
	excused := rawStrings(source)
	var long []int
	at := 0
	for i, line := range bytes.Split(source, []byte("\n")) {
		if utf8.RuneCount(line) > most {
			// The place of the first rune that is too far to the right.
			over := at
			for range most {
				_, size := utf8.DecodeRune(source[over:])
				over += size
			}
			if !excused.from(at, over) {
				long = append(long, i+1)
			}
		}
		at += len(line) + 1
	}
	return long
}

// spans are stretches of a file, ascending.
type spans [][2]int

// from says whether a span that touches the line at start begins before the place over.
func (s spans) from(start, over int) bool {
	for _, span := range s {
		if span[0] <= over && span[1] > start {
			return true
		}
	}
	return false
}

// rawStrings are the raw string literals of a file.
func rawStrings(source []byte) spans {
	var found spans
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(source))
	var s scanner.Scanner
	s.Init(file, source, nil, 0)
	for {
		position, kind, literal := s.Scan()
		if kind == token.EOF {
			return found
		}
		if kind == token.STRING && literal[0] == '`' {
			start := file.Offset(position)
			found = append(found, [2]int{start, start + len(literal)})
		}
	}
}
