package heatmap

import (
	"math"
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

// The scale is the row's maximum, whatever the values are.
func TestLevel(t *testing.T) {
	for _, test := range []struct {
		value, limit float64
		want         int
	}{
		{0, 1, 0}, {1, 1, levels}, {2, 1, levels}, {0.5, 1, levels / 2}, {1, 4, levels / 4}, {-0.5, 1, -levels / 2}, {-9, 1, -levels},
		{math.NaN(), 1, 0}, {math.Inf(1), 1, levels}, {math.Inf(-1), 1, -levels}, {0.01, 1, 0},
	} {
		if got := level(test.value, test.limit); got != test.want {
			t.Errorf("level(%v, %v) = %d, want %d", test.value, test.limit, got, test.want)
		}
	}
}
