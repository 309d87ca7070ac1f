//go:build !cgo || !(linux || darwin)

package backends

import "github.com/gomlx/compute"

// xlaPlugins has nothing to list in this build.
func xlaPlugins() ([]string, error) { return nil, errNoCgo }

// startXLA is not reached in this build.
func startXLA(string) (compute.Backend, error) { return nil, errNoCgo }

// installXLA has nothing to install for this build.
func installXLA() (string, error) { return "", errNoCgo }
