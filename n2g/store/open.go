package store

import (
	"context"
	"crypto/rand"
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
	// PlainJSON writes the JSON of explanations as text, for SQLite's functions of JSON, where otherwise it is gzipped, a
	// third to a tenth of the size. Stores may hold both, and all else is columns either way.
	PlainJSON bool
}

// Store is an open store. It is safe for concurrent use.
type Store struct {
	path  string
	uri   string // SQLite's name of the file, with how it is opened
	db    *sql.DB
	lock  *lock.Lock // nil: read only
	plain bool       // JSON is written as text
	// unindexed: a store of layout 3, opened for reading only, which lacks the index of context graphs' tokens alone.
	unindexed bool
	file      fs.FileInfo // of what was opened, nil: a copy in memory
	made      bool        // by Open, and nothing was written to it yet; guarded by writing

	writing  sync.Mutex // one transaction at a time
	identity *Identity  // guarded by writing; nil: unknown
}

// Open opens the store at path, creating it if nothing is there, unless o.ReadOnly. One that another process writes to
// is refused with a [LockedError]. A store of an older layout is brought up to date, and where it is only read, a copy
// of it in memory.
//
// What is read of a store is checked by checksums of rows, tables and explanations, so that damage to its file is an
// error that wraps [ErrDamaged], and never a wrong answer. [Store.Repair] takes away what is damaged.
func Open(path string, o Options) (*Store, error) {
	if err := checkFile(path, o.ReadOnly); err != nil {
		return nil, err
	}
	absolute, err := canonical(path)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	if o.ReadOnly {
		return openReadOnly(path, absolute)
	}
	_, missing := os.Stat(absolute)
	// A file of its own is locked, since SQLite uses locks of the database file itself, and closing any handle of that
	// would drop them.
	held, err := lock.Acquire(absolute)
	var other *lock.HeldError
	switch {
	case errors.As(err, &other):
		return nil, &LockedError{Path: path, PID: other.PID}
	case err != nil:
		return nil, fmt.Errorf("opening %s: its folder cannot be written: %w: choose another place", path, err)
	}
	// With a write-ahead log, synchronous NORMAL loses nothing when the process is killed; a power cut may take the last
	// few neurons, never half of one.
	s, err := open(path, dsn(absolute, "_txlock=immediate", pragma("journal_mode(WAL)"), pragma("synchronous(NORMAL)")),
		func(ctx context.Context, db *sql.DB) error {
			if _, err := identify(ctx, db, false); err != nil {
				return err
			}
			if err := checkPages(ctx, db, "main"); err != nil {
				return err
			}
			return migrate(ctx, db)
		})
	if err != nil {
		return nil, errors.Join(err, held.Release())
	}
	s.lock, s.plain, s.made = held, o.PlainJSON, missing != nil
	return s, s.noteFile(absolute)
}

// checkFile tells what is wrong with a path before SQLite is asked, which would say less.
func checkFile(path string, mustExist bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && mustExist:
		return fmt.Errorf("there is no store %s: n2g run -store %[1]s makes one", path)
	case errors.Is(err, fs.ErrNotExist):
		if folder, err := os.Stat(filepath.Dir(path)); err != nil || !folder.IsDir() {
			return fmt.Errorf("the store %s cannot be made: there is no folder %s", path, filepath.Dir(path))
		}
		return nil
	case err != nil:
		return fmt.Errorf("opening the store: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file: name a store such as run.db", path)
	case !mustExist && links(info) > 1:
		return fmt.Errorf("%s has %d names (hard links), and a process that writes by one of them does not see what "+
			"another writes by the other: remove the others, or copy the file", path, links(info))
	}
	return nil
}

// noteFile remembers which file was opened.
func (s *Store) noteFile(absolute string) (err error) {
	if s.file, err = os.Stat(absolute); err != nil {
		return errors.Join(fmt.Errorf("opening %s: %w", s.path, err), s.Close())
	}
	return nil
}

// there tells whether what is written still has the name by which it was opened: a file that was removed is written to
// in vain.
func (s *Store) there() error {
	now, err := os.Stat(s.path)
	if err == nil && os.SameFile(s.file, now) {
		return nil
	}
	if err == nil {
		err = errors.New("another file lies there now")
	}
	return fmt.Errorf("the store %s was removed, or moved, while it was written: what was written since is lost: %w",
		s.path, err)
}

func openReadOnly(path, absolute string) (*Store, error) {
	old := 0 // the version, where it is an older one
	check := func(ctx context.Context, db *sql.DB) error {
		version, err := identify(ctx, db, true)
		if err == nil && version < len(migrations()) {
			old = version
		}
		return err
	}
	s, err := open(path, dsn(absolute, "mode=ro"), check)
	if err != nil && old == 0 {
		// SQLite reads a write-ahead log with the help of a file beside it, which a read-only folder refuses. Without a log
		// the database alone is complete.
		if log, failed := os.Stat(absolute + "-wal"); failed == nil && log.Size() > 0 {
			return nil, err
		}
		var failed error
		if s, failed = open(path, dsn(absolute, "mode=ro", "immutable=1"), check); failed != nil && old == 0 {
			return nil, err
		}
	}
	if old >= 3 && s == nil {
		return nil, err
	}
	if old == 0 || old >= 3 { // the older lack tables that can be done without
		s.unindexed = old == 3
		return s, nil
	}
	if s != nil {
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
	return openOld(path, absolute, old)
}

// maxOld bounds the size of a file that is copied into memory.
const maxOld = 512 << 20

// openOld reads a store of an older layout: as a copy in memory that is brought up to date.
func openOld(path, absolute string, version int) (*Store, error) {
	info, err := os.Stat(absolute)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	if info.Size() > maxOld {
		return nil,
			fmt.Errorf("%s is of an older layout of the store, and too large to be brought up to date in memory: open it once "+
				"for writing (n2g run, or n2g merge into it)", path)
	}
	memory := "file:n2g-" + rand.Text() + "?mode=memory&cache=shared&" + strings.Join(pragmas(), "&")
	return open(path, memory, func(ctx context.Context, db *sql.DB) error {
		db.SetMaxIdleConns(1) // the copy lives as long as a connection to it does
		for v, m := range migrations()[:version] {
			if err := m.apply(ctx, db, v); err != nil {
				return err
			}
		}
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		// What refers to a neuron that is lost is copied too, and found.
		if _, err := conn.ExecContext(ctx, "PRAGMA foreign_keys = 0"); err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, "ATTACH ? AS old", dsn(absolute, "mode=ro")); err != nil {
			return err
		}
		if err := checkPages(ctx, conn, "old"); err != nil {
			return err
		}
		tables := append(countedIn(version), "explanations", "tokens")
		if version > 1 { // what triggers have counted is replaced by what the old store says of its rows
			tables = append(tables, "totals", "vocabulary")
		}
		for _, table := range tables {
			emptied := ""
			if table == "totals" || table == "vocabulary" {
				emptied = "DELETE FROM main." + table + "; "
			}
			if _, err := conn.ExecContext(ctx, fmt.Sprintf("%[2]sINSERT OR IGNORE INTO main.%[1]s SELECT * FROM old.%[1]s",
				table, emptied)); err != nil {
				return err
			}
		}
		if _, err := conn.ExecContext(ctx, "DETACH old"); err != nil {
			return err
		}
		if err := migrate(ctx, db); err != nil {
			return err
		}
		return copyOldEffects(ctx, conn, absolute)
	})
}

// dsn is the driver's name of the database, with query parameters.
func dsn(absolute string, parameters ...string) string {
	location := url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}
	return location.String() + "?" + strings.Join(append(parameters, pragmas()...), "&")
}

// pragmas of every connection. Temporary tables stay in memory: no file of ours lies in a shared folder. Checksums tell
// more than constraints, which would keep what is damaged from being copied and named.
func pragmas() []string {
	return []string{pragma("busy_timeout(10000)"), pragma("foreign_keys(1)"), pragma("temp_store(2)"),
		pragma("ignore_check_constraints(1)")}
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
		err = s.reading(ctx, func(tx *sql.Tx) (err error) { s.identity, err = readIdentity(ctx, tx); return err })
	}
	if err != nil {
		return nil, errors.Join(explained(path, "opening", err), db.Close())
	}
	return s, nil
}

// querier is a database, a connection or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, values ...any) *sql.Row
}

// checkPages reads every page of a database and says what is wrong with the first that is.
func checkPages(ctx context.Context, q querier, database string) error {
	var verdict string
	if err := q.QueryRowContext(ctx, "PRAGMA "+database+".quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s: restore a copy, or make it anew", ErrDamaged, strings.Join(strings.Fields(verdict), " "))
	}
	return nil
}

// Path is where the store lies.
func (s *Store) Path() string { return s.path }

// Close ends the work with the store and lets other processes write to it. One that Open made, and that nothing was
// written to, is removed.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.db.Close()
	if err != nil {
		err = fmt.Errorf("closing %s: %w", s.path, err)
	}
	if s.lock != nil && s.file != nil {
		if err = errors.Join(err, s.there()); err == nil && s.made {
			err = os.Remove(s.path)
		}
	}
	return errors.Join(err, s.lock.Release())
}

// canonical is a file's own name, since SQLite's log and the lock lie beside it by name.
func canonical(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
		absolute = resolved
	}
	return absolute, nil
}

// Writing tells whether a process, this or another, has the store open to write to it.
func (s *Store) Writing() bool {
	absolute, err := canonical(s.path)
	return s.lock != nil || err == nil && lock.Held(absolute)
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
	defer tx.Rollback() // after a commit it does nothing
	if err := do(tx); err != nil {
		return s.explained(doing, err)
	}
	if err := tx.Commit(); err != nil {
		return s.explained(doing, err)
	}
	s.made = false
	return s.there()
}

// Beside are the endings of the names of files that lie beside a store while it is written.
func Beside() []string { return []string{"-wal", "-shm", ".lock"} }

// Snapshot makes the file to a store with what the store from holds at this moment, also while another process, or this
// one, writes it. It appears whole.
func Snapshot(ctx context.Context, from, to string) (err error) {
	s, err := Open(from, Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	half := to + "-" + rand.Text()[:8]
	if _, err := s.db.ExecContext(ctx, "VACUUM INTO ?", half); err != nil {
		return errors.Join(s.explained("copying", err), os.RemoveAll(half))
	}
	return os.Rename(half, to)
}
