// Package tagged reads the defaults of options from the tags of their struct's fields, so that each stands once.
package tagged

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// Fill gives the fields of the struct that options points to, where they are nil or zero, what their tags default:"…"
// say. It panics where a tag does not fit its field: both are part of the program.
func Fill(options any) {
	v := reflect.ValueOf(options).Elem()
	for i := range v.NumField() {
		text, ok := v.Type().Field(i).Tag.Lookup("default")
		field := v.Field(i)
		if !ok || !field.IsZero() {
			continue
		}
		if field.Kind() == reflect.Pointer {
			value := reflect.New(field.Type().Elem())
			field.Set(value)
			field = value.Elem()
		}
		if err := Set(field, text); err != nil {
			panic(fmt.Sprintf("default of %s.%s: %v", v.Type(), v.Type().Field(i).Name, err))
		}
	}
}

// Plain copies the fields of the struct that options points to into those of the same name of the struct that plain
// points to, what pointers point to where plain has no pointer.
func Plain(options, plain any) {
	from, to := reflect.ValueOf(options).Elem(), reflect.ValueOf(plain).Elem()
	for i := range to.NumField() {
		field := from.FieldByName(to.Type().Field(i).Name)
		if field.Kind() == reflect.Pointer && to.Field(i).Kind() != reflect.Pointer {
			field = field.Elem()
		}
		to.Field(i).Set(field)
	}
}

// Set parses text into a value of type int, uint64, float64, bool or string.
func Set(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("not a whole number")
		}
		v.SetInt(int64(n))
	case reflect.Uint64:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return errors.New("not a whole number from 0")
		}
		v.SetUint(n)
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f != f {
			return errors.New("not a number")
		}
		v.SetFloat(f)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("neither true nor false")
		}
		v.SetBool(b)
	case reflect.String:
		v.SetString(text)
	default:
		return fmt.Errorf("a %s cannot be written", v.Kind())
	}
	return nil
}
