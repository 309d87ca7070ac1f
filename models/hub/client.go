package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client answers what the cache holds and downloads into it. It is safe for concurrent use, also by several processes.
type Client struct {
	options  Options
	endpoint *url.URL
	http     *http.Client
}

// New makes a client. It touches neither the cache nor the network.
func New(o Options) (*Client, error) {
	o, err := o.filled()
	if err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, err
	}
	c := &Client{options: o, endpoint: endpoint}
	c.http = &http.Client{Transport: o.Transport, CheckRedirect: c.redirect}
	return c, nil
}

// Cache is the folder of all repositories.
func (c *Client) Cache() string { return c.options.Cache }

// redirect follows redirects, to the storage of large files for instance, but keeps the token from all other hosts.
func (c *Client) redirect(next *http.Request, before []*http.Request) error {
	const most = 10
	if len(before) >= most {
		return fmt.Errorf("more than %d redirects", most)
	}
	if next.URL.Scheme != c.endpoint.Scheme || next.URL.Host != c.endpoint.Host {
		next.Header.Del("Authorization")
	} else if c.options.Token != "" {
		next.Header.Set("Authorization", "Bearer "+c.options.Token)
	}
	return nil
}

// errStalled ends a request whose answer stops coming.
var errStalled = errors.New("the answer stopped coming")

// answer is a response whose body fails when nothing comes any more.
type answer struct {
	*http.Response
	stall  time.Duration
	timer  *time.Timer
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// request sends one request. begin is the first byte asked for.
func (c *Client) request(ctx context.Context, method, address string, begin int64) (*answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	request.Header.Set("User-Agent", "neuron2graph")
	request.Header.Set("Accept-Encoding", "identity") // sizes and ranges are those of the file itself
	if c.options.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.options.Token)
	}
	if begin > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", begin))
	}
	a := &answer{stall: c.options.Stall, ctx: ctx, cancel: cancel}
	a.timer = time.AfterFunc(a.stall, func() { cancel(errStalled) })
	if a.Response, err = c.http.Do(request); err != nil {
		err = a.cause(withoutQuery(err))
		a.stop()
		return nil, err
	}
	a.timer.Reset(a.stall)
	return a, nil
}

// withoutQuery shortens the address in an error: those of stored files carry long signatures.
func withoutQuery(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		failed.URL, _, _ = strings.Cut(failed.URL, "?")
	}
	return err
}

// Read reads the body.
func (a *answer) Read(p []byte) (int, error) {
	n, err := a.Body.Read(p)
	if n > 0 {
		a.timer.Reset(a.stall)
	}
	if err != nil && err != io.EOF {
		err = a.cause(err)
	}
	return n, err
}

// cause is why the request was ended, if it was.
func (a *answer) cause(err error) error {
	if cause := context.Cause(a.ctx); cause != nil {
		return cause
	}
	return err
}

// Close ends the request.
func (a *answer) Close() {
	a.Body.Close()
	a.stop()
}

func (a *answer) stop() {
	a.timer.Stop()
	a.cancel(nil)
}

// retry calls try until it succeeds, fails for good, or has failed too often in a row without getting any further.
func (c *Client) retry(ctx context.Context, try func() (further bool, err error)) error {
	for failures := 0; ; {
		further, err := try()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case !passes(err):
			return err
		case further:
			failures = 0
		}
		if failures++; failures >= c.options.Attempts {
			return fmt.Errorf("%w (after %d attempts)", err, failures)
		}
		select {
		case <-time.After(c.pause(failures, err)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pause is how long to wait after the nth failure: as long as the hub asks for, within reason, else ever longer.
func (c *Client) pause(n int, err error) time.Duration {
	const most = time.Minute
	pause := c.options.Backoff << min(n-1, 10)
	var status *statusError
	if errors.As(err, &status) && status.retryAfter > 0 {
		pause = status.retryAfter
	}
	return min(pause, most)
}
