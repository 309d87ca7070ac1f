// Package testdisk gives tests a real file system of their own, which can be full or read-only.
package testdisk

import (
	"syscall"
	"testing"
)

// Mount mounts an empty tmpfs with options such as size=512k until the test ends, and returns its folder. Where the
// test may not mount, it is skipped.
func Mount(t *testing.T, options string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, options); err != nil {
		t.Skipf("mounting a file system to fill needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// ReadOnly makes a mounted folder one that cannot be written.
func ReadOnly(t *testing.T, folder string) { Remount(t, folder, syscall.MS_RDONLY, "") }

// Remount changes a mounted folder's flags and options.
func Remount(t *testing.T, folder string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount("", folder, "", syscall.MS_REMOUNT|flags, options); err != nil {
		t.Skipf("mounting %s again needs root: %v", folder, err)
	}
}
