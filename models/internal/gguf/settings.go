package gguf

import (
	"fmt"
	"math"
	"strings"
)

// Settings reads values of the header in the types that are expected, and keeps the first fault. Keys that begin with a
// dot are the architecture's: .block_count is llama.block_count in a Llama.
type Settings struct {
	file *File
	arch string
	err  error
}

// Settings reads the file's values.
func (f *File) Settings() *Settings {
	arch, _ := f.Value(architectureKey).(string)
	return &Settings{file: f, arch: arch}
}

// Err is the first fault: a value of a wrong type, or what [Settings.Refuse] was told.
func (s *Settings) Err() error { return s.err }

// Refuse notes a fault.
func (s *Settings) Refuse(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

func (s *Settings) key(key string) string {
	if strings.HasPrefix(key, ".") {
		return s.arch + key
	}
	return key
}

func (s *Settings) wrong(key, want string) { s.Refuse("setting %s is no %s", s.key(key), want) }

// Architecture is what the model is: llama, gpt2; empty where the file does not say.
func (s *Settings) Architecture() string { return s.arch }

// setting is the value of a key as a T; ok is false where there is none.
func setting[T any](s *Settings, key, want string) (value T, ok bool) {
	found := s.file.Value(s.key(key))
	if found == nil {
		return value, false
	}
	value, ok = found.(T)
	if !ok {
		s.wrong(key, want)
	}
	return value, ok
}

// Text is a text; ok is false where there is none.
func (s *Settings) Text(key string) (value string, ok bool) { return setting[string](s, key, "text") }

// Bool is a truth value; ok is false where there is none.
func (s *Settings) Bool(key string) (value, ok bool) { return setting[bool](s, key, "truth value") }

func (s *Settings) texts(key string) ([]string, bool) {
	return setting[[]string](s, key, "list of texts")
}

func (s *Settings) floats(key string) ([]float64, bool) {
	return setting[[]float64](s, key, "list of numbers with fractions")
}

func (s *Settings) ints(key string) ([]int64, bool) {
	return setting[[]int64](s, key, "list of numbers")
}

// Number is an integer that a size or an id can be; ok is false where there is none.
func (s *Settings) Number(key string) (int, bool) {
	n, ok := setting[int64](s, key, "whole number")
	if ok && (n < math.MinInt32 || n > math.MaxInt32) {
		s.wrong(key, "number that a size or an id can be")
		return 0, false
	}
	return int(n), ok
}

// Float is a finite number, written as a whole one or not; ok is false where there is none.
func (s *Settings) Float(key string) (float64, bool) {
	if n, isInt := s.file.Value(s.key(key)).(int64); isInt {
		return float64(n), true
	}
	x, ok := setting[float64](s, key, "number")
	if ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
		s.wrong(key, "finite number")
		return 0, false
	}
	return x, ok
}
