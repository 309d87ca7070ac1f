//go:build !unix

package safetensors

import (
	"errors"
	"os"
)

// mapFile says that files cannot be mapped here: the caller reads them instead.
func mapFile(*os.File, int64) ([]byte, func() error, error) { return nil, nil, errors.ErrUnsupported }
