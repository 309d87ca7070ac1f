package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/neuron2graph/neuron2graph/n2g/internal/lock"
)

// Options say how a store is opened.
type Options struct {
	// ReadOnly opens a store that exists without locking it, beside a process that writes to it or in a folder that
	// cannot be written.
	ReadOnly bool
	// Compress writes the JSON of explanations gzipped, a seventh to a tenth of the size. Other programs then read the
	// scores and tokens, but not the JSON. Stores may hold both.
	Compress bool
}

// Store is an open store. It is safe for concurrent use.
type Store struct {
	path     string
	uri      string // SQLite's name of the file, with how it is opened
	db       *sql.DB
	lock     *lock.Lock // nil: read only
	compress bool

	writing  sync.Mutex // one transaction at a time
	identity *Identity  // guarded by writing; nil: unknown
}

// Open opens the store at path, creating it if nothing is there, unless o.ReadOnly. A store is checked for damage; one
// that another process writes to is refused with a [LockedError].
func Open(path string, o Options) (*Store, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	if err := checkFile(path, o.ReadOnly); err != nil {
		return nil, err
	}
	if o.ReadOnly {
		return openReadOnly(path, absolute)
	}
	// A file of its own is locked, since SQLite uses locks of the database file itself, and closing any handle of that would
	// drop them.
	held, err := lock.Acquire(absolute)
	var other *lock.HeldError
	switch {
	case errors.As(err, &other):
		return nil, &LockedError{Path: path, PID: other.PID}
	case err != nil:
		return nil, fmt.Errorf("opening %s: its folder cannot be written: %w: choose another place", path, err)
	}
	// With a write-ahead log, synchronous NORMAL loses nothing when the process is killed; a power cut may take the last few
	// neurons, never half of one.
	s, err := open(path, dsn(absolute, "_txlock=immediate", pragma("journal_mode(WAL)"), pragma("synchronous(NORMAL)")), func(ctx context.Context, db *sql.DB) error {
		if err := identify(ctx, db, false); err != nil {
			return err
		}
		if err := quickCheck(ctx, db); err != nil {
			return err
		}
		return migrate(ctx, db)
	})
	if err != nil {
		return nil, errors.Join(err, held.Release())
	}
	s.lock, s.compress = held, o.Compress
	return s, nil
}

// checkFile tells what is wrong with a path before SQLite is asked, which would say less.
func checkFile(path string, mustExist bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && mustExist:
		return fmt.Errorf("there is no store %s: n2g run -o %[1]s makes one", path)
	case errors.Is(err, fs.ErrNotExist):
		if folder, err := os.Stat(filepath.Dir(path)); err != nil || !folder.IsDir() {
			return fmt.Errorf("the store %s cannot be made: there is no folder %s", path, filepath.Dir(path))
		}
		return nil
	case err != nil:
		return fmt.Errorf("opening the store: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file: name a store such as run.db", path)
	}
	return nil
}

func openReadOnly(path, absolute string) (*Store, error) {
	check := func(ctx context.Context, db *sql.DB) error { return identify(ctx, db, true) }
	s, err := open(path, dsn(absolute, "mode=ro"), check)
	if err == nil {
		return s, nil
	}
	// SQLite reads a write-ahead log with the help of a file beside it, which a read-only folder refuses. Without a log
	// the database alone is complete.
	if log, failed := os.Stat(absolute + "-wal"); failed == nil && log.Size() > 0 {
		return nil, err
	}
	if s, failed := open(path, dsn(absolute, "mode=ro", "immutable=1"), check); failed == nil {
		return s, nil
	}
	return nil, err
}

// dsn is the driver's name of the database, with query parameters.
func dsn(absolute string, parameters ...string) string {
	location := url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}
	parameters = append(parameters, pragma("busy_timeout(10000)"), pragma("foreign_keys(1)"))
	return location.String() + "?" + strings.Join(parameters, "&")
}

func pragma(text string) string { return "_pragma=" + url.QueryEscape(text) }

// open opens the database and has it checked.
func open(path, dsn string, check func(context.Context, *sql.DB) error) (*Store, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	s := &Store{path: path, uri: dsn, db: db}
	ctx := context.Background()
	if err = check(ctx, db); err == nil {
		s.identity, err = readIdentity(ctx, db)
	}
	if err != nil {
		return nil, errors.Join(explained(path, "opening", err), db.Close())
	}
	return s, nil
}

// quickCheck reads every page and says what is wrong with the first that is.
func quickCheck(ctx context.Context, db *sql.DB) error {
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s: restore a copy, or make it anew", ErrDamaged, strings.Join(strings.Fields(verdict), " "))
	}
	return nil
}

// Path is where the store lies.
func (s *Store) Path() string { return s.path }

// Close ends the work with the store and lets other processes write to it.
func (s *Store) Close() error {
	err := s.db.Close()
	if err != nil {
		err = fmt.Errorf("closing %s: %w", s.path, err)
	}
	return errors.Join(err, s.lock.Release())
}

// change runs do in one transaction.
func (s *Store) change(ctx context.Context, doing string, do func(*sql.Tx) error) error {
	if s.lock == nil {
		return fmt.Errorf("%s %s: it was opened for reading only", doing, s.path)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.explained(doing, err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := do(tx); err != nil {
		return s.explained(doing, err)
	}
	if err := tx.Commit(); err != nil {
		return s.explained(doing, err)
	}
	return nil
}
