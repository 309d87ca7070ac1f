//go:build !cgo || !(linux || darwin)

package backends

import (
	"errors"

	"github.com/gomlx/compute"
)

// linked says whether XLA is part of this build.
const linked = false

// errNoCgo is why a build without cgo has no XLA.
var errNoCgo = errors.New("this binary was built without cgo, which XLA needs: build it with a C compiler and " +
	"CGO_ENABLED=1, or use the backend go")

// startXLA is not reached in this build.
func startXLA(string, string) (compute.Backend, error) { return nil, errNoCgo }

// trial cannot load a plugin in this build.
func trial(*Plugin, func(Plugin)) error { return errNoCgo }

// downloadXLA has nothing to install for this build.
func downloadXLA(string) error { return errNoCgo }

// Trim has nothing to give back in this build.
func Trim() {}
