package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// jsonComplaint says what is wrong with JSON in the user's words: package json names Go's types.
func jsonComplaint(err error) error {
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON is cut short")
	case errors.As(err, &wrongType):
		field := ""
		if wrongType.Field != "" {
			field = fmt.Sprintf("%q is ", wrongType.Field[strings.LastIndex(wrongType.Field, ".")+1:])
		}
		return fmt.Errorf("%s%s, where %s belongs", field, withArticle(wrongType.Value), described(wrongType.Type))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Errorf("there is no field %s", name)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

// withArticle is package json's word for a kind of value, "string" or "number 1.5" for instance, as part of a sentence.
func withArticle(kind string) string {
	switch {
	case kind == "object" || kind == "array":
		return "an " + kind
	case strings.HasPrefix(kind, "number "):
		return "the " + kind
	}
	return "a " + kind
}

// described is a Go type in JSON's words.
func described(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "a whole number"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	}
	return "an object"
}

// checkUTF8 refuses data that package json would mend in silence.
func checkUTF8(data []byte) error {
	if utf8.Valid(data) {
		return nil
	}
	if utf16(data) {
		return errors.New("it is UTF-16: convert it to UTF-8, with iconv for instance")
	}
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return fmt.Errorf("byte %d is not UTF-8: convert it", at)
}
