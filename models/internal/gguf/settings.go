package gguf

import (
	"fmt"
	"math"
)

// settings reads values of the header in the types that are expected, and notes the first that has another.
type settings struct {
	file *File
	err  error
}

func (s *settings) wrong(key, want string) {
	if s.err == nil {
		s.err = fmt.Errorf("setting %s is no %s", key, want)
	}
}

// setting is the value of a key as a T; ok is false where there is none.
func setting[T any](s *settings, key, want string) (value T, ok bool) {
	found := s.file.Value(key)
	if found == nil {
		return value, false
	}
	value, ok = found.(T)
	if !ok {
		s.wrong(key, want)
	}
	return value, ok
}

func (s *settings) text(key string) (string, bool) { return setting[string](s, key, "text") }
func (s *settings) bool(key string) (bool, bool)   { return setting[bool](s, key, "truth value") }
func (s *settings) texts(key string) ([]string, bool) {
	return setting[[]string](s, key, "list of texts")
}
func (s *settings) ints(key string) ([]int64, bool) {
	return setting[[]int64](s, key, "list of numbers")
}

// number is an integer that fits its use: sizes and ids.
func (s *settings) number(key string) (int, bool) {
	n, ok := setting[int64](s, key, "whole number")
	if ok && (n < math.MinInt32 || n > math.MaxInt32) {
		s.wrong(key, "number that a size or an id can be")
		return 0, false
	}
	return int(n), ok
}

// float is a float, written as one or as a whole number.
func (s *settings) float(key string) (float64, bool) {
	if n, isInt := s.file.Value(key).(int64); isInt {
		return float64(n), true
	}
	x, ok := setting[float64](s, key, "number")
	if ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
		s.wrong(key, "finite number")
		return 0, false
	}
	return x, ok
}
