package parquet

import "testing"

// TestUnpackerBound: what pages unpack to is bound in all, and a small file may be packed well.
func TestUnpackerBound(t *testing.T) {
	for file, want := range map[int64]int{8: freeBytes / MaxPage, 5 << 20: 5 * maxRatio << 20 / MaxPage} {
		u, pages := newUnpacker(file), 0
		page := make([]byte, MaxPage) // never written to
		for {
			if _, err := u.unpack(uncompressed, page, MaxPage); err != nil {
				break
			}
			pages++
		}
		if pages != want {
			t.Errorf("%d pages of the largest size in a file of %d bytes, want %d", pages, file, want)
		}
	}
}
