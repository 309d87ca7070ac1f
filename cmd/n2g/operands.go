package main

import "flag"

// parse reads flags and operands in any order. What follows -- is an operand, even if it begins with -. Afterwards
// fs.Args has the operands.
func parse(fs *flag.FlagSet, args []string) error {
	var operands []string
	for {
		if err := fs.Parse(args); err != nil {
			return err
		}
		rest := fs.Args()
		if read := len(args) - len(rest); len(rest) == 0 || read > 0 && args[read-1] == "--" {
			return fs.Parse(append(append([]string{"--"}, operands...), rest...))
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
}
