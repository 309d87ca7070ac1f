// Package testfile reads the files that tests compare with.
package testfile

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
)

// Read is the content of a file, unpacked where its name ends in .gz. A file that cannot be read ends the test.
func Read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil && strings.HasSuffix(path, ".gz") {
		data, err = gunzip(data)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return data
}

func gunzip(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// JSON reads the JSON of a file into a value, as Read does.
func JSON(t testing.TB, path string, into any) {
	t.Helper()
	if err := json.Unmarshal(Read(t, path), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
