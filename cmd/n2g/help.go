package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// overview is the answer to n2g help.
func overview(commands []*command) string {
	var b strings.Builder
	b.WriteString("n2g finds out what single neurons of a language model do.\n\nUsage: n2g COMMAND [flags]\n\nCommands:\n")
	list(&b, commands)
	b.WriteString("\nn2g COMMAND -h tells more, with examples.\n")
	return b.String()
}

func list(b *strings.Builder, commands []*command) {
	for _, c := range commands {
		fmt.Fprintf(b, "  %-15s %s\n", c.name, c.short)
	}
}

// help is the answer to n2g COMMAND -h.
func (c *command) help() string {
	var b strings.Builder
	if len(c.commands) > 0 && c.run == nil {
		fmt.Fprintf(&b, "%s\n\nCommands:\n", c.short)
		list(&b, c.commands)
		return b.String()
	}
	fmt.Fprintf(&b, "%s\n\nUsage: n2g %s\n", c.short, strings.TrimSpace(c.name+" [flags] "+c.operands))
	if c.long != "" {
		fmt.Fprintf(&b, "\n%s\n", paragraphs(c.long))
	}
	if len(c.commands) > 0 {
		b.WriteString("\nCommands:\n")
		list(&b, c.commands)
	}
	if len(c.examples) > 0 {
		b.WriteString("\nExamples:\n")
		for _, example := range c.examples {
			fmt.Fprintf(&b, "  %s\n", strings.TrimSpace("n2g "+c.name+" "+example))
		}
	}
	var own []*flag.Flag
	c.flags.VisitAll(func(f *flag.Flag) {
		if !slices.Contains(c.options, f.Name) {
			own = append(own, f)
		}
	})
	writeFlags(&b, "Flags", own)
	var options []*flag.Flag
	for _, name := range c.options {
		options = append(options, c.flags.Lookup(name))
	}
	writeFlags(&b, "Options", options)
	return b.String()
}

// Of the help's text: where the explanations of flags begin, and the columns of a line.
const (
	indent = 31
	width  = 110
)

func writeFlags(b *strings.Builder, heading string, flags []*flag.Flag) {
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n", heading)
	for _, f := range flags {
		value, usage := flag.UnquoteUsage(f)
		usage = strings.TrimPrefix(usage, value+" ") // this program's flags begin their text with the value's name
		name := "-" + f.Name
		if value != "" {
			name += " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "-1" && !strings.Contains(usage, "(default") {
			usage += fmt.Sprintf(" (default %s)", f.DefValue)
		}
		lines := wrap(usage, width-indent)
		fmt.Fprintf(b, "  %-*s %s\n", indent-3, name, lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintf(b, "%*s%s\n", indent, "", line)
		}
	}
}

// paragraphs breaks the lines of a text anew. Indented ones stay.
func paragraphs(text string) string {
	var out, pending []string
	end := func() {
		if pending != nil {
			out = append(out, wrap(strings.Join(pending, " "), width)...)
			pending = nil
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line != "" && line[0] != ' ' {
			pending = append(pending, line)
			continue
		}
		end()
		out = append(out, line)
	}
	end()
	return strings.Join(out, "\n")
}

// wrap breaks text into lines of so many characters, between words. There is at least one.
func wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= columns:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
