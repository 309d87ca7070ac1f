package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// statusError is an answer other than success.
type statusError struct {
	code       int
	reason     string // the hub's own word for it: GatedRepo, RepoNotFound, EntryNotFound, RevisionNotFound
	retryAfter time.Duration
}

func newStatusError(response *http.Response) *statusError {
	return &statusError{
		code: response.StatusCode, reason: response.Header.Get("X-Error-Code"),
		retryAfter: retryAfter(response.Header.Get("Retry-After"), time.Now()),
	}
}

// retryAfter reads the header of that name, a number of seconds or a date (RFC 9110, 10.2.3); 0 where it says nothing.
func retryAfter(text string, now time.Time) time.Duration {
	const most = time.Hour
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(seconds, 0), int(most/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return min(max(date.Sub(now), 0), most)
	}
	return 0
}

func (e *statusError) Error() string {
	return fmt.Sprintf("the hub answers %d %s", e.code, http.StatusText(e.code))
}

// passes says whether trying again may help.
func passes(err error) bool {
	var status *statusError
	if errors.As(err, &status) {
		return status.code == http.StatusRequestTimeout || status.code == http.StatusTooManyRequests || status.code >= 500
	}
	var final *finalError
	return !errors.As(err, &final)
}

// finalError is a failure on this side, or one that no other attempt changes.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// final marks an error so that nothing is tried again.
func final(err error) error {
	if err == nil {
		return nil
	}
	return &finalError{err}
}

// explain says what a failure means for a repository, and what to do.
func (c *Client) explain(err error, repo, revision string) error {
	var status *statusError
	if !errors.As(err, &status) {
		return c.explainCache(err)
	}
	switch {
	case status.reason == "EntryNotFound":
		return fmt.Errorf("%s lists it but does not hold it: give the command again, as the repository may be changing: %w",
			c.options.Endpoint, err)
	case status.reason == "GatedRepo", status.code == http.StatusForbidden:
		return fmt.Errorf("%s/%s is open only to those who have accepted its terms: accept them there, and set HF_TOKEN to "+
			"a token of that account: %w", c.options.Endpoint, repo, err)
	case status.reason == "RevisionNotFound":
		return fmt.Errorf("repository %s has no revision %s: %w", repo, revision, err)
	case status.code == http.StatusUnauthorized, status.code == http.StatusNotFound:
		// The hub answers 401 for what is not there too, so as not to tell what is private.
		return fmt.Errorf("there is no repository %s with revision %s at %s, or it is private: check the name, or set "+
			"HF_TOKEN to a token that may read it: %w", repo, revision, c.options.Endpoint, err)
	case status.code == http.StatusTooManyRequests:
		return fmt.Errorf("the hub wants fewer requests: wait some minutes, or set HF_TOKEN, and give the command again: %w",
			err)
	}
	return err
}

// explainCache says what to do where the cache cannot be written.
func (c *Client) explainCache(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk of %s is full: make room, or set HF_HOME to a folder elsewhere, and give the command "+
			"again, which goes on from here: %w", c.options.Cache, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("the cache %s cannot be written: set HF_HOME to a folder that can: %w", c.options.Cache, err)
	}
	return err
}
