package store

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// childStore, set, makes the test binary a process that keeps the store it names open.
const childStore = "N2G_TEST_STORE_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childStore); path != "" {
		if _, err := Open(path, Options{}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("open")
		bufio.NewReader(os.Stdin).ReadByte() // waits to be killed
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestTwoProcesses: the second is told who the first is, and gets the store when that is killed.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	for range 3 {
		child := exec.Command(os.Args[0], "-test.run=^$")
		child.Env = append(os.Environ(), childStore+"="+path)
		in, err := child.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
			t.Fatal(line, err)
		}
		_, err = Open(path, Options{})
		locked := new(LockedError)
		if !errors.As(err, &locked) || locked.PID != child.Process.Pid ||
			!strings.Contains(err.Error(), fmt.Sprint(child.Process.Pid)) || !strings.Contains(err.Error(), path) {
			t.Errorf("while process %d writes: %v", child.Process.Pid, err)
		}
		reader, err := Open(path, Options{ReadOnly: true})
		if err != nil {
			t.Errorf("reading beside a writer: %v", err)
		} else if err := reader.Close(); err != nil {
			t.Error(err)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		child.Wait() // it was killed
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatalf("after the first process was killed: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestDamaged: whatever is done to a store's bytes is noticed, and never a panic.
func TestDamaged(t *testing.T) {
	s := testStore(t)
	s.plain = true
	fill(t, s, 41, 40)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(5, 5))
	path := filepath.Join(t.TempDir(), "damaged.db")
	for name, damage := range map[string]func([]byte) []byte{
		"cut in half":         func(b []byte) []byte { return b[:len(b)/2] },
		"last page gone":      func(b []byte) []byte { return b[:len(b)-4096] },
		"no database":         func([]byte) []byte { return []byte(strings.Repeat("text ", 1000)) },
		"header gone":         func(b []byte) []byte { clear(b[:16]); return b },
		"zeros in the middle": func(b []byte) []byte { clear(b[len(b)/3 : 2*len(b)/3]); return b },
		"noise": func(b []byte) []byte {
			for i := 4096; i < len(b); i += 4096 { // the head of each page but the first
				for k := range 16 {
					b[i+k] = byte(random.Uint32())
				}
			}
			return b
		},
	} {
		if err := os.WriteFile(path, damage(append([]byte(nil), whole...)), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path, Options{})
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if reader, err := Open(path, Options{ReadOnly: true}); err == nil {
			if err := readAll(reader); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s: read with %v", name, err)
			}
			reader.Close()
		}
		if _, err := os.Stat(path + ".lock"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the lock stays: %v", name, err)
		}
	}

	// A letter within an explanation is no damage to SQLite.
	at := strings.LastIndex(string(whole), `"max_activation"`)
	altered := append([]byte(nil), whole...)
	altered[at+1] = 'M'
	if err := os.WriteFile(path, altered, 0o644); err != nil {
		t.Fatal(err)
	}
	reader, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := readAll(reader); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "layer") {
		t.Errorf("an altered letter: %v", err)
	}
}

// readAll asks for everything.
func readAll(s *Store) error {
	for _, err := range s.Explanations(ctx) {
		if err != nil {
			return err
		}
	}
	_, err := s.Rows(ctx)
	return err
}

func TestStrangers(t *testing.T) {
	make := func(statements string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "other.db")
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statements); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct{ path, want string }{
		{make("CREATE TABLE bookmarks (url TEXT)"), "no store of neuron explanations"},
		{make("CREATE TABLE x (y); PRAGMA user_version = 1"), "no store of neuron explanations"},
		{make(fmt.Sprintf("CREATE TABLE x (y); PRAGMA application_id = %d; PRAGMA user_version = 99", ApplicationID)),
			"version 99"},
		{t.TempDir(), "is no file"},
		{filepath.Join(t.TempDir(), "a", "run.db"), "there is no folder"},
		{"/dev/null", "is no file"},
		{"/proc/self/run.db", "choose another place"},
	} {
		for _, readOnly := range []bool{false, true} {
			s, err := Open(test.path, Options{ReadOnly: readOnly})
			if err == nil {
				s.Close()
				t.Errorf("%s is opened", test.path)
				continue
			}
			_, failed := os.Stat(test.path)
			if there := failed == nil; (there || !readOnly) && !strings.Contains(err.Error(), test.want) || !there && readOnly &&
				!strings.Contains(err.Error(), "there is no store") {
				t.Errorf("%s: %v, want %q", test.path, err, test.want)
			}
		}
	}
}

// TestEmptyFile: an empty file becomes a store, as one is that was being made when the process was killed.
func TestEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.db")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Options{ReadOnly: true}); err == nil {
		t.Error("an empty file is read as a store")
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fill(t, s, 1, 2)
}

// TestFull: where nothing more fits, one sentence says so, and what was written stays.
func TestFull(t *testing.T) {
	s := testStore(t)
	fill(t, s, 51, 5)
	s.db.SetMaxOpenConns(1) // the limit is of a connection
	if _, err := s.db.Exec("PRAGMA max_page_count = 40"); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(6, 0))
	put := 0
	var err error
	for ; err == nil && put < 1000; put++ {
		err = s.Put(ctx, madeUp(random, at(9, put), vocabulary(40), 30))
	}
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), s.Path()) {
		t.Fatalf("after %d neurons: %v", put, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.Path(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := readAll(again); err != nil {
		t.Error(err)
	}
	if done, err := again.Done(ctx); err != nil || len(done) != 5+put-1 {
		t.Errorf("%d neurons, want %d, %v", len(done), 5+put-1, err)
	}
	if err := again.Put(ctx, madeUp(random, at(9, put), vocabulary(40), 30)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
