// Package optflag makes command line flags of an options struct, so that the options are written down in one place.
//
// A field of type int, uint64, float64, string or bool, or a pointer to one, is a flag if it has the tag flag:"name".
// Its tag help:"…" is the text of the help, and default:"…" what a field left alone stands for. A first word of the
// help in capitals names the flag's value; else it is a NUMBER, or a NAME where the field is a string.
package optflag

import (
	"flag"
	"fmt"
	"reflect"
	"strings"

	"github.com/neuron2graph/neuron2graph/internal/tagged"
)

// Set is the flags of one options struct on a flag set, with those that the user gave.
type Set struct {
	names []string
	given []assignment
}

type assignment struct {
	field int
	text  string
}

// Add defines on fs the flags of T, a struct. It panics where a tagged field is of another type or the flag exists: the
// struct is part of the program.
func Add[T any](fs *flag.FlagSet) *Set {
	s := &Set{}
	t := reflect.TypeFor[T]()
	for i := range t.NumField() {
		field := t.Field(i)
		name, ok := field.Tag.Lookup("flag")
		if !ok {
			continue
		}
		kind := field.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		switch kind.Kind() {
		case reflect.Int, reflect.Uint64, reflect.Float64, reflect.String, reflect.Bool:
		default:
			panic(fmt.Sprintf("field %s.%s of type %s cannot be a flag", t, field.Name, field.Type))
		}
		s.names = append(s.names, name)
		fs.Var(&value{set: s, field: i, kind: kind, shown: field.Tag.Get("default")}, name,
			usage(field.Tag.Get("help"), kind.Kind()))
	}
	return s
}

// usage is the help with the name of the value in back quotes, as package flag has it.
func usage(help string, kind reflect.Kind) string {
	first, rest, _ := strings.Cut(help, " ")
	switch {
	case kind == reflect.Bool:
		return help
	case len(first) > 1 && strings.ToUpper(first) == first:
		return "`" + first + "` " + rest
	case kind == reflect.String:
		return "`NAME` " + help
	}
	return "`NUMBER` " + help
}

// Names returns the flags' names in the order of the struct's fields.
func (s *Set) Names() []string { return s.names }

// Apply sets the fields whose flags were given, a preset's for instance, and leaves the others alone. options points to
// the struct that Add was called for.
func Apply[T any](s *Set, options *T) {
	v := reflect.ValueOf(options).Elem()
	for _, a := range s.given {
		field := v.Field(a.field)
		if field.Kind() == reflect.Pointer {
			field.Set(reflect.New(field.Type().Elem()))
			field = field.Elem()
		}
		tagged.Set(field, a.text) // Set has parsed the text before
	}
}

// value is one flag. It keeps text, and the struct is filled by Apply: what is not given must stay as a preset left it.
type value struct {
	set   *Set
	field int
	kind  reflect.Type
	shown string // default, then what was given
}

func (v *value) String() string {
	if v == nil {
		return ""
	}
	return v.shown
}

func (v *value) IsBoolFlag() bool { return v.kind.Kind() == reflect.Bool }

func (v *value) Set(text string) error {
	if err := tagged.Set(reflect.New(v.kind).Elem(), text); err != nil {
		return err
	}
	v.shown = text
	v.set.given = append(v.set.given, assignment{v.field, text})
	return nil
}
