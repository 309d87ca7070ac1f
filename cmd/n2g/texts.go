package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// textFlags name one text: the text itself, or where it lies.
type textFlags struct {
	command    *command
	text, file *string
}

// textFlagsOf defines -text and -file; what says which text, such as "to split".
func textFlagsOf(c *command, what string) textFlags {
	return textFlags{
		command: c,
		text:    c.flags.String("text", "", "`TEXT` "+what),
		file:    c.path(reads, "file", "", "`FILE` "+what+", as it is; - is standard input"),
	}
}

// given tells whether a text is named.
func (f textFlags) given() bool {
	return given(f.command.flags, "text") || given(f.command.flags, "file")
}

// read returns the text. Once -text named a file; who means that is told.
func (f textFlags) read(a *app) (string, error) {
	text, file := given(f.command.flags, "text"), given(f.command.flags, "file")
	switch {
	case text && file:
		return "", errors.New("give one of -text TEXT and -file FILE")
	case text && *f.text == standard:
		return "", errors.New("-text takes the text itself: -file - reads standard input")
	case text:
		if info, err := os.Stat(*f.text); err == nil && !info.IsDir() {
			return "", fmt.Errorf("-text takes the text itself, and there is a file %s: -file %[1]s reads that", *f.text)
		}
		return *f.text, nil
	}
	data, err := a.read(*f.file)
	return string(data), err
}

// readUTF8 is read of a text that must be UTF-8.
func (f textFlags) readUTF8(a *app) (string, error) {
	text, err := f.read(a)
	if err == nil {
		if err = checkUTF8([]byte(text)); err != nil {
			err = fmt.Errorf("the text: %w", err)
		}
	}
	return text, err
}

// utf16 tells whether data begins as UTF-16 with a byte order mark does.
func utf16(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff"))
}
