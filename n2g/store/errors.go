package store

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrDamaged is what errors about a damaged file wrap.
var ErrDamaged = errors.New("the file is damaged")

// LockedError says that another process writes to the store.
type LockedError struct {
	Path string
	PID  int // 0: unknown
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s is being written by %s: wait for it to end, or write to another file", e.Path, who)
}

// OtherError says that a store holds explanations of another model, or with other options, than are to be written.
type OtherError struct{ reason string }

func (e *OtherError) Error() string { return e.reason + ": write to another file" }

func otherf(format string, values ...any) error { return &OtherError{fmt.Sprintf(format, values...)} }

// explained turns what SQLite says into a sentence that tells what to do. doing is what was tried, such as "writing".
func (s *Store) explained(doing string, err error) error {
	return explained(s.path, doing, err)
}

func explained(path, doing string, err error) error {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		if err == nil {
			return nil
		}
		return fmt.Errorf("%s %s: %w", doing, path, err)
	}
	switch code := failure.Code(); code & 0xff { // the rest is detail
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%s %s: the disk is full; what was written before is safe: free some space and start again: %w",
			doing, path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return fmt.Errorf("%s %s: it, or its folder, cannot be written: choose another place or change its permissions: %w",
			doing, path, err)
	case sqlite3.SQLITE_CANTOPEN:
		return fmt.Errorf("%s %s: it cannot be opened: see that the folder exists and can be written: %w", doing, path, err)
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("%s %s: the disk fails or is full; what was written before is safe: %w", doing, path, err)
	case sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%s %s: it is no SQLite database, or its beginning is damaged: name the file that n2g run "+
			"wrote: %w", doing, path, errors.Join(ErrDamaged, err))
	case sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%s %s: %w: restore a copy, or make it anew", doing, path, errors.Join(ErrDamaged, err))
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%s %s: another program keeps it locked: close it there: %w", doing, path, err)
	}
	return fmt.Errorf("%s %s: %w", doing, path, err)
}
