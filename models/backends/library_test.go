package backends

import (
	"bytes"
	"runtime"
	"testing"
)

// FuzzCheckELF: no file makes the check fail otherwise than with a sentence.
func FuzzCheckELF(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Add(append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 57)...))
	header := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 121)...)
	header[18], header[40], header[58], header[60] = 62, 64, 64, 1 // x86-64, one section
	f.Add(header)
	f.Fuzz(func(t *testing.T, content []byte) {
		if err := checkELF(bytes.NewReader(content), int64(len(content)), runtime.GOARCH); err != nil && err.Error() == "" {
			t.Error("an error without words")
		}
	})
}
