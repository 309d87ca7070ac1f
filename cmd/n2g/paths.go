package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/neuron2graph/neuron2graph/n2g/store"
)

// pathKind is what a command does with a file or folder that one of its flags names.
type pathKind int

const (
	reads      pathKind = iota // a file, or a folder with all below it
	asks                       // a store
	fills                      // a store, made where there is none
	replaces                   // a file
	writesInto                 // a folder, made where there is none
)

// pathFlag is a flag, or an operand, that names a file or folder.
type pathFlag struct {
	name   string // "-o", or what the operand is called
	value  *string
	kind   pathKind
	beside []string // endings of the names of files that are made beside it
	list   bool     // the value may be several, with commas between them
}

// path defines a flag that names a file or folder, so that runCommand knows what the command reads and writes. beside
// are endings of files that it makes beside an output.
func (c *command) path(kind pathKind, name, value, usage string, beside ...string) *string {
	p := c.flags.String(name, value, usage)
	c.paths = append(c.paths, pathFlag{name: "-" + name, value: p, kind: kind, beside: beside})
	return p
}

// pathList is path for a flag that names several, with commas between them.
func (c *command) pathList(kind pathKind, name, usage string) *string {
	p := c.path(kind, name, "", usage)
	c.paths[len(c.paths)-1].list = true
	return p
}

// namedPath is a path that a command was given.
type namedPath struct {
	name, path string
	kind       pathKind
}

// given returns the paths of flags and operands, and those beside them.
func (c *command) given() []namedPath {
	var list []namedPath
	for _, p := range c.paths {
		if *p.value == "" {
			continue
		}
		if p.list {
			for _, path := range strings.Split(*p.value, ",") {
				list = append(list, namedPath{p.name, path, p.kind})
			}
			continue
		}
		list = append(list, namedPath{p.name, *p.value, p.kind})
		beside := p.beside
		if p.kind == asks || p.kind == fills {
			beside = store.Beside()
		}
		for _, ending := range beside {
			if *p.value != standard {
				list = append(list, namedPath{p.name, *p.value + ending, p.kind})
			}
		}
	}
	if c.operandsRead {
		for _, operand := range c.flags.Args() {
			list = append(list, namedPath{c.operands, operand, asks})
		}
	}
	return list
}

// checkPaths finds, before anything runs, outputs that would replace what the command reads or writes elsewhere, by
// whatever name, and what would keep results from being written.
func (c *command) checkPaths() error {
	var inputs, outputs []namedPath
	standardIn, standardOut := 0, 0
	for _, p := range c.given() {
		output := p.kind == replaces
		switch {
		case p.path == standard && output:
			standardOut++
		case p.path == standard:
			standardIn++
		case output:
			outputs = append(outputs, p)
		default:
			inputs = append(inputs, p)
		}
	}
	switch {
	case standardIn > 1:
		return errors.New("only one input can come from standard input: name files for the others")
	case standardOut > 1:
		return errors.New("only one output can go to standard output: name files for the others")
	}
	for i, out := range outputs {
		for _, in := range inputs {
			if in.kind == writesInto {
				continue
			}
			if overwrites(out.path, in.path) {
				return fmt.Errorf("%s %s would replace what %s reads (%s): name another file", out.name, out.path, in.name, in.path)
			}
		}
		for _, other := range outputs[:i] {
			if sameFile(out.path, other.path) {
				return fmt.Errorf("%s and %s would both write %s: name another file for one of them", other.name, out.name,
					out.path)
			}
		}
		if isStore(out.path) {
			return fmt.Errorf("%s %s would replace a store of explanations: name another file", out.name, out.path)
		}
	}
	for i, in := range inputs {
		for _, other := range inputs[:i] {
			if in.kind != other.kind && (in.kind == fills || other.kind == fills) && sameFile(in.path, other.path) {
				return fmt.Errorf("%s and %s name the same file, %s: name another for one of them", other.name, in.name, in.path)
			}
		}
	}
	for _, out := range outputs {
		if err := checkWritable(out.path); err != nil {
			return err
		}
	}
	return nil
}

// overwrites tells whether writing the file out would change the input: the same file by any name, or one below a
// folder.
func overwrites(out, in string) bool {
	info, err := os.Stat(in)
	if err != nil {
		return false // the name of a model, or what is not there
	}
	if sameFile(out, in) {
		return true
	}
	if !info.IsDir() {
		return false
	}
	if _, err := os.Stat(out); err != nil {
		return false // what is not there yet is no input
	}
	inside, err := filepath.Rel(resolved(in), resolved(out))
	return err == nil && inside != ".." && !strings.HasPrefix(inside, ".."+string(filepath.Separator))
}

// sameFile tells whether two names are of one file, that is there or would be made. Devices and pipes may be named
// twice.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	switch {
	case errA == nil && errB == nil:
		return (infoA.Mode().IsRegular() || infoA.IsDir()) && os.SameFile(infoA, infoB)
	case errA != nil && errB != nil:
		return resolved(a) == resolved(b)
	}
	return false
}

// resolved is the absolute name of a path without links; of one that is not there, its folder's with its last name.
func resolved(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(absolute); err == nil {
		return real
	}
	if target, err := os.Readlink(absolute); err == nil { // a link to what is not there yet
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(absolute), target)
		}
		absolute = target
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(absolute)); err == nil {
		return filepath.Join(folder, filepath.Base(absolute))
	}
	return absolute
}

// isStore tells whether a store of explanations lies at path, by SQLite's header, or by SQLite's log where all is still
// in that.
func isStore(path string) bool {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	if _, err := os.Stat(path + "-wal"); err == nil {
		return true
	}
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	head := make([]byte, 72)
	if _, err := io.ReadFull(file, head); err != nil {
		return false
	}
	const name, applicationAt = "SQLite format 3\x00", 68
	return string(head[:len(name)]) == name && binary.BigEndian.Uint32(head[applicationAt:]) == store.ApplicationID
}

// checkWritable tries what write will do, and leaves nothing behind.
func checkWritable(path string) error {
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err != nil {
		return fmt.Errorf("there is no folder to write %s to: %w", path, err)
	} else if !info.IsDir() {
		return fmt.Errorf("%s cannot be written: %s is no folder", path, folder)
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a folder: name a file to write", path)
	case err == nil && !info.Mode().IsRegular():
		return nil // opening a pipe would wait for its reader
	}
	file, err := createTemporary(resolved(path))
	if err != nil {
		return fmt.Errorf("%s cannot be written, name a file elsewhere: %w", path, err)
	}
	return file.discard()
}
