package engine

import "testing"

// Groups of every size are padded to few sizes: by a quarter at most where rows cost more than programs, and those as
// large as a call makes them by little for small models too.
func TestBuckets(t *testing.T) {
	for _, test := range []struct {
		name  string
		b     bucketing
		waste float64 // of a batch, at most
		from  int     // from groups of so many rows on
		most  int     // sizes up to the limit
	}{
		{"large model on the processor", bucketing{host: true}, 0.25, 48, 7},
		{"small model on the processor", bucketing{host: true, small: true}, 0.5, hostSmall / 2, 1},
		{"device of its own", bucketing{}, 0.5, 16, 4},
	} {
		sizes := map[int]bool{}
		last := 0
		for n := 1; n <= 4096; n++ {
			size := test.b.rows(n)
			if size < n || size < last {
				t.Fatalf("%s: %d rows are padded to %d, one less to %d", test.name, n, size, last)
			}
			if last = size; test.b.rows(size) != size {
				t.Errorf("%s: %d rows are padded to %d, and these again to %d", test.name, n, size, test.b.rows(size))
			}
			if n <= test.b.limit() {
				sizes[size] = true
			}
			if waste := float64(size-n) / float64(size); n >= test.from && waste > test.waste {
				t.Errorf("%s: of %d rows %.0f %% are padding, for %d", test.name, size, 100*waste, n)
			}
		}
		if len(sizes) > test.most || !sizes[test.b.limit()] {
			t.Errorf("%s: %d sizes, want at most %d, the largest %d", test.name, len(sizes), test.most, test.b.limit())
		}
	}
}
