package hub

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/registry"
)

// ErrNotCached is why [Client.Open] and [Client.Cached] fail for what was never downloaded, or not wholly.
var ErrNotCached = errors.New("not in the cache")

// Snapshot is what the cache holds of a repository at one commit.
type Snapshot struct {
	Repo, Commit string
	// Dir is the folder of the files, which are symbolic links.
	Dir string
	// Files are those of which all bytes are there, sorted by path.
	Files []File
}

// FS is the root of the files.
func (s Snapshot) FS() fs.FS { return os.DirFS(s.Dir) }

// folder is where the cache keeps a repository.
func (c *Client) folder(repo string) string {
	return filepath.Join(c.options.Cache, folderName(repo))
}

func folderName(repo string) string { return "models--" + strings.ReplaceAll(repo, "/", "--") }

// Cached finds what the cache holds of a repository; an empty revision is the main branch. repo may be one of the names
// without an owner that the hub's first models had.
func (c *Client) Cached(repo, revision string) (Snapshot, error) {
	if revision == "" {
		revision = mainRevision
	}
	if !registry.IsRepo(repo) && !registry.IsRepo("owner/"+repo) || !fs.ValidPath(revision) ||
		strings.Contains(revision, "\\") {
		return Snapshot{}, fmt.Errorf("%q at %q: %w", repo, revision, ErrNotCached)
	}
	commit, err := c.commit(repo, revision)
	if err != nil {
		return Snapshot{}, fmt.Errorf("%s at %s: %w", repo, revision, err)
	}
	s := Snapshot{Repo: repo, Commit: commit, Dir: filepath.Join(c.folder(repo), "snapshots", commit)}
	err = filepath.WalkDir(s.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		stat, err := os.Stat(path) // of what a link leads to; some lead nowhere once files were cleared
		if err != nil || !stat.Mode().IsRegular() {
			return nil
		}
		relative, err := filepath.Rel(s.Dir, path)
		if err != nil {
			return err
		}
		file := File{Path: filepath.ToSlash(relative), Size: stat.Size()}
		if target, err := os.Readlink(path); err == nil && isHash(filepath.Base(target)) {
			file.Hash = filepath.Base(target)
		}
		s.Files = append(s.Files, file)
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Snapshot{}, fmt.Errorf("%s at %s: %w", repo, revision, ErrNotCached)
	case err != nil:
		return Snapshot{}, fmt.Errorf("read the cache of %s: %w", repo, err)
	}
	slices.SortFunc(s.Files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return s, nil
}

// commit finds which commit a revision was when it was downloaded.
func (c *Client) commit(repo, revision string) (string, error) {
	if sha1Text.MatchString(revision) {
		return revision, nil
	}
	text, err := os.ReadFile(filepath.Join(c.folder(repo), "refs", filepath.FromSlash(revision)))
	if err == nil {
		if commit := strings.TrimSpace(string(text)); sha1Text.MatchString(commit) {
			return commit, nil
		}
		return "", ErrNotCached
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the cache: %w", err)
	}
	// Other programs that share the cache keep no refs: a single snapshot leaves no doubt.
	entries, err := os.ReadDir(filepath.Join(c.folder(repo), "snapshots"))
	if err == nil && revision == mainRevision && len(entries) == 1 && sha1Text.MatchString(entries[0].Name()) {
		return entries[0].Name(), nil
	}
	return "", ErrNotCached
}

// blob is where the cache keeps the bytes of a file.
func (c *Client) blob(repo string, file File) string {
	return filepath.Join(c.folder(repo), "blobs", file.Hash)
}

// link makes a file part of a snapshot.
func (c *Client) link(listing Listing, file File) error {
	path := filepath.Join(c.folder(listing.Repo), "snapshots", listing.Commit, filepath.FromSlash(file.Path))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	blob := c.blob(listing.Repo, file)
	target, err := filepath.Rel(filepath.Dir(path), blob)
	if err != nil {
		return err
	}
	if present, err := os.Readlink(path); err == nil && present == target {
		return nil
	}
	// The new link is made beside the old, under a name that no other process takes, and replaces it at once.
	folder, err := os.MkdirTemp(filepath.Dir(path), ".link-*")
	if err != nil {
		return err
	}
	defer os.Remove(folder)
	fresh := filepath.Join(folder, filepath.Base(path))
	if err := os.Symlink(target, fresh); err != nil {
		if err := os.Link(blob, fresh); err != nil { // where users may not make symbolic links, as on Windows
			return err
		}
	}
	return os.Rename(fresh, path)
}

// setRevision notes which commit a branch or tag is.
func (c *Client) setRevision(repo, revision, commit string) error {
	if revision == commit {
		return nil
	}
	path := filepath.Join(c.folder(repo), "refs", filepath.FromSlash(revision))
	if noted, err := os.ReadFile(path); err == nil && string(noted) == commit {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".ref-*")
	if err != nil {
		return err
	}
	_, err = temporary.WriteString(commit)
	if err = errors.Join(err, temporary.Chmod(0o644), temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		os.Remove(temporary.Name())
	}
	return err
}
