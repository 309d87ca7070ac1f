package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// fetch brings the bytes of a file into the cache, unless they are there. report is told how many of them are.
func (c *Client) fetch(ctx context.Context, listing Listing, file File, report func(done int64)) error {
	blob := c.blob(listing.Repo, file)
	if complete(blob, file) {
		report(file.Size)
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(blob), 0o755); err != nil {
		return err
	}
	unlock, err := c.lock(ctx, listing.Repo, file)
	if err != nil {
		return err
	}
	defer unlock()
	if complete(blob, file) { // by the process that had the lock
		report(file.Size)
		return nil
	}
	partial := blob + ".incomplete" // Python's name for it too: each goes on where the other stopped
	out, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := c.fill(ctx, out, listing, file, report); err != nil {
		return err
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return err
	}
	return os.Rename(partial, blob)
}

// complete says whether a blob has all its bytes; they were verified when they came.
func complete(blob string, file File) bool {
	stat, err := os.Stat(blob)
	return err == nil && stat.Size() == file.Size
}

// lock keeps other processes from the same file, by the same lock that huggingface_hub takes.
func (c *Client) lock(ctx context.Context, repo string, file File) (unlock func(), err error) {
	path := filepath.Join(c.options.Cache, ".locks", folderName(repo), file.Hash+".lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	lock := flock.New(path)
	const interval = 100 * time.Millisecond
	if _, err := lock.TryLockContext(ctx, interval); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { lock.Close() }, nil
}

// fill completes out, which may hold the first bytes already, and verifies it. What cannot be verified is fetched once
// more from the start: what lay there may have been the part that was damaged.
func (c *Client) fill(ctx context.Context, out *os.File, listing Listing, file File, report func(done int64)) error {
	for again := true; ; again = false {
		err := c.retry(ctx, func() (bool, error) {
			before, err := size(out)
			if err != nil {
				return false, final(err)
			}
			err = c.transfer(ctx, out, listing, file, report)
			after, _ := size(out)
			return after > before, err
		})
		if err != nil {
			return err
		}
		if _, err := out.Seek(0, io.SeekStart); err != nil {
			return err
		}
		err = verify(ctx, out, file)
		var damaged *damagedError
		if !errors.As(err, &damaged) {
			return err
		}
		if err := out.Truncate(0); err != nil {
			return err
		}
		if !again {
			return damaged
		}
	}
}

func size(f *os.File) (int64, error) {
	stat, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return stat.Size(), nil
}

// transfer asks once for the bytes that are missing. What comes stays, even if the answer breaks off.
func (c *Client) transfer(ctx context.Context, out *os.File, listing Listing, file File,
	report func(done int64)) error {
	begin, err := size(out)
	if err != nil {
		return final(err)
	}
	if begin > file.Size {
		begin = 0
	}
	if begin == file.Size && begin > 0 {
		report(begin)
		return nil
	}
	answer, err := c.request(ctx, http.MethodGet, c.address(listing, file), begin)
	if err != nil {
		return err
	}
	defer answer.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		begin = 0 // all of it, whatever was asked
	case http.StatusPartialContent:
		if !strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", begin)) {
			return errors.Join(fmt.Errorf("asked for bytes from %d on, the answer has others", begin), out.Truncate(0))
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return errors.Join(newStatusErrorToPass(answer.Response), out.Truncate(0))
	default:
		return newStatusError(answer.Response)
	}
	if err := out.Truncate(begin); err != nil {
		return final(err)
	}
	if _, err := out.Seek(begin, io.SeekStart); err != nil {
		return final(err)
	}
	report(begin)
	w := &progressWriter{file: out, done: begin, report: report}
	// One byte more than there should be tells that there is more.
	n, err := io.Copy(w, io.LimitReader(answer, file.Size-begin+1))
	switch {
	case w.err != nil:
		return final(w.err)
	case err != nil:
		return err
	case begin+n < file.Size:
		return fmt.Errorf("the answer ended after %d of %d bytes", begin+n, file.Size)
	case begin+n > file.Size:
		return errors.Join(fmt.Errorf("the answer goes on beyond the file's %d bytes", file.Size), out.Truncate(0))
	}
	return nil
}

// newStatusErrorToPass is an answer after which another request from the start may succeed.
func newStatusErrorToPass(response *http.Response) error {
	return errors.New(newStatusError(response).Error())
}

// progressWriter tells how far a file has come.
type progressWriter struct {
	file   *os.File
	done   int64
	report func(done int64)
	err    error // of writing, which no other attempt mends
}

func (w *progressWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.done += int64(n)
	w.err = err
	w.report(w.done)
	return n, err
}
