package heatmap

import (
	"math"
	"strings"
	"testing"
)

func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		value         float64
		cell, precise string
	}{
		{0, "0.00", "0"},
		{math.Copysign(0, -1), "0.00", "0"},
		{-0.0004, "0.00", "0"},
		{0.123456, "0.12", "0.123"},
		{1, "1.00", "1"},
		{-0.5, "-0.50", "-0.5"},
		{9.996, "10.0", "9.996"},
		{123.45, "123", "123.45"},
		{9999.4, "9999", "9999.4"},
		{-1234567, "-1e+06", "-1e+06"},
		{math.NaN(), "NaN", "NaN"},
		{math.Inf(1), "+∞", "+∞"},
		{math.Inf(-1), "-∞", "-∞"},
	} {
		if got := number(test.value); got != test.cell {
			t.Errorf("number(%v) = %q, want %q", test.value, got, test.cell)
		}
		if got := precise(test.value); got != test.precise {
			t.Errorf("precise(%v) = %q, want %q", test.value, got, test.precise)
		}
	}
}

// Of a row whose values are all small, decimals would tell nothing.
func TestSmallNumbers(t *testing.T) {
	small := Row{Max: 0.0035}
	for _, test := range []struct {
		value         float64
		cell, precise string
	}{
		{0, "0", "0"},
		{math.Copysign(0, -1), "0", "0"},
		{0.0035151, "0.0035", "0.00352"},
		{-1.234e-9, "-1.2e-09", "-1.23e-09"},
		{0.5, "0.50", "0.5"},
		{math.NaN(), "NaN", "NaN"},
	} {
		if got := small.number(test.value); got != test.cell {
			t.Errorf("number(%v) = %q, want %q", test.value, got, test.cell)
		}
		if got := small.precise(test.value); got != test.precise {
			t.Errorf("precise(%v) = %q, want %q", test.value, got, test.precise)
		}
	}
	h := HeatMap{Tokens: []string{"a", "b"},
		Rows: []Row{{Name: "activation", Values: []float64{0.0035, 0.0001}, Max: 0.0035}}}
	for name, picture := range map[string]string{"HTML": h.HTML(), "SVG": h.SVG()} {
		if !strings.Contains(picture, "0.0035") || !strings.Contains(picture, "0.0001") {
			t.Errorf("%s hides small values: %s", name, picture)
		}
	}
}
