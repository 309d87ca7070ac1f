//go:build !unix

package index

import "os"

// mapFile reads a file, where mapping it would be the system's own affair.
func mapFile(path string) (data []byte, unmap func() error, err error) {
	data, err = os.ReadFile(path)
	return data, func() error { return nil }, err
}
