//go:build !cgo || !(linux || darwin)

package backends

import (
	"errors"

	"github.com/gomlx/compute"
)

// errNoCgo is why a build without cgo has no XLA.
var errNoCgo = errors.New("this binary was built without cgo, which XLA needs: build it with a C compiler and CGO_ENABLED=1, or use the backend go")

// xlaPlugins has nothing to list in this build.
func xlaPlugins() ([]string, error) { return nil, errNoCgo }

// startXLA is not reached in this build.
func startXLA(string) (compute.Backend, error) { return nil, errNoCgo }

// installXLA has nothing to install for this build.
func installXLA() (string, error) { return "", errNoCgo }
