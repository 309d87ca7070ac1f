package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// conn asks a running process. Several questions may be under way at a time.
type conn struct {
	name    string // the command, as errors name it
	timeout time.Duration
	cmd     *exec.Cmd
	stdin   *os.File
	lines   chan []byte // to be written
	stderr  tail

	exited chan struct{} // closed when the process was waited for
	ended  chan struct{} // closed when no more answers come; then err is set
	err    error
	end    sync.Once

	mu      sync.Mutex
	last    int64           // id
	waiting map[int64]*call // including those that were given up
	heard   time.Time       // when the process answered last
	closing bool
}

// call is a question under way.
type call struct {
	method   string
	began    time.Time
	most     int          // bytes of its answer
	answered chan *answer // holds one
}

// Of a process: how long it may say nothing while it is asked something, if Options do not tell; how long it may take
// to end by itself once its standard input is closed; and how long its last words may take after its end.
const (
	defaultTimeout = 10 * time.Minute
	toEnd          = 2 * time.Second
	lastWords      = 500 * time.Millisecond
)

// start runs the command. It ends when ctx does.
func start(ctx context.Context, cmd *exec.Cmd, timeout time.Duration) (*conn, error) {
	c := &conn{name: commandText(cmd), timeout: timeout, cmd: cmd, lines: make(chan []byte), exited: make(chan struct{}),
		ended: make(chan struct{}), waiting: map[int64]*call{}, heard: time.Now()}
	var theirs, ours []*os.File // ends of pipes
	closeAll := func(files []*os.File) {
		for _, f := range files {
			f.Close() // of a pipe
		}
	}
	pipe := func(write bool) (*os.File, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		if write {
			theirs, ours = append(theirs, r), append(ours, w)
			return r, nil
		}
		theirs, ours = append(theirs, w), append(ours, r)
		return w, nil
	}
	var err error
	var files [3]*os.File
	for i := range files {
		if files[i], err = pipe(i == 0); err != nil {
			closeAll(append(theirs, ours...))
			return nil, fmt.Errorf("start %s: %w", c.name, err)
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[1], files[2]
	inGroup(cmd)
	err = cmd.Start()
	closeAll(theirs)
	if err != nil {
		closeAll(ours)
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	c.stdin = ours[0]
	stdout, stderr := ours[1], ours[2]
	said := make(chan struct{}) // closed when standard error ended
	go func() {
		io.Copy(&c.stderr, stderr) // what there is of it
		stderr.Close()
		close(said)
	}()
	go func() {
		stopped := c.read(stdout)
		stdout.Close()
		if stopped == nil {
			select {
			case <-said:
			case <-time.After(lastWords):
			}
			stopped = c.epitaph()
		}
		c.fail(stopped)
		c.kill()
	}()
	go c.write()
	stop := context.AfterFunc(ctx, func() {
		c.fail(ctx.Err())
		c.kill()
	})
	go func() {
		cmd.Wait()      // its state tells more
		kill(cmd)       // what it has started
		close(c.exited) // from now on its number may be another's
		stop()
		for _, f := range []*os.File{stdout, stderr} {
			f.SetReadDeadline(time.Now().Add(lastWords)) // for who has left the group and holds them
		}
	}()
	return c, nil
}

// kill ends the process and its group.
func (c *conn) kill() {
	select {
	case <-c.exited:
	default:
		kill(c.cmd)
	}
}

// epitaph says why no more answers come.
func (c *conn) epitaph() error {
	select {
	case <-c.exited:
	case <-time.After(lastWords):
		return errors.New("closed its standard output before it answered")
	}
	if state := c.cmd.ProcessState; !state.Success() {
		return fmt.Errorf("ended with %s", state)
	}
	return errors.New("ended before it answered: it answers lines until its standard input ends")
}

// fail ends the conversation; the first reason counts. What the process said last on standard error belongs to it.
func (c *conn) fail(err error) {
	c.end.Do(func() {
		c.mu.Lock()
		closing := c.closing
		c.mu.Unlock()
		switch {
		case closing:
			err = errors.New("was closed")
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
			c.err = err
		}
		if c.err == nil {
			c.err = fmt.Errorf("%s %w%s", c.name, err, c.stderr.quoted())
		}
		close(c.ended)
	})
}

// write sends lines until the process ends.
func (c *conn) write() {
	for {
		select {
		case line := <-c.lines:
			if _, err := c.stdin.Write(line); err != nil {
				select {
				case <-c.ended: // it has ended, which says more
				case <-time.After(2 * lastWords):
					c.fail(errors.New("closed its standard input while it was asked"))
					c.kill()
				}
				return
			}
		case <-c.ended:
			return
		}
	}
}

// read hands answers out until the output ends, which is no error here, or until something is wrong with it.
func (c *conn) read(from io.Reader) error {
	r := bufio.NewReaderSize(from, 1<<16)
	for {
		line, err := c.line(r)
		if err != nil {
			return err
		}
		if line == nil {
			return nil
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		a, err := parseAnswer(line)
		if err != nil {
			return err
		}
		if err := c.hear(a, line); err != nil {
			return err
		}
	}
}

// line is the next line, nil at the end.
func (c *conn) line(r *bufio.Reader) ([]byte, error) {
	var whole []byte
	for {
		part, err := r.ReadSlice('\n')
		if err == nil && whole == nil {
			return part, nil
		}
		whole = append(whole, part...)
		switch {
		case err == nil:
			return whole, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			if len(bytes.TrimSpace(whole)) > 0 {
				return nil, fmt.Errorf("ends within a line: %s", excerpt(whole))
			}
			return nil, nil
		}
		if most := c.most(); len(whole) > most {
			return nil, fmt.Errorf("writes a line of more than %d bytes, which nothing that was asked needs: %s", most,
				excerpt(whole))
		}
	}
}

// most is how many bytes an answer may have.
func (c *conn) most() int {
	most := 1 << 20
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.waiting {
		most = max(most, w.most)
	}
	return most
}

// hear gives an answer to who waits for it.
func (c *conn) hear(a *answer, line []byte) error {
	if a.ID == nil {
		if a.Error != nil {
			return fmt.Errorf("says: %s", *a.Error)
		}
		return fmt.Errorf("writes a line without \"id\": %s; an answer has the id of its question", excerpt(line))
	}
	c.mu.Lock()
	w := c.waiting[*a.ID]
	delete(c.waiting, *a.ID)
	c.heard = time.Now()
	c.mu.Unlock()
	if w == nil {
		return fmt.Errorf("answers the question %d, which is not asked: %s", *a.ID, excerpt(line))
	}
	w.answered <- a
	return nil
}

// ask sends a question, for activations with what is read, whose answer has so many bytes at most. Questions of
// one goroutine are written in its order.
func (c *conn) ask(ctx context.Context, q question, r *reading, most int) (*call, error) {
	w := &call{method: q.Method, began: time.Now(), most: most, answered: make(chan *answer, 1)}
	c.mu.Lock()
	c.last++
	q.ID = c.last
	c.waiting[q.ID] = w
	c.mu.Unlock()
	unsent := func(err error) error {
		c.mu.Lock()
		delete(c.waiting, q.ID)
		c.mu.Unlock()
		return err
	}
	if err := ctx.Err(); err != nil {
		return nil, unsent(err)
	}
	var whole any = q
	if r != nil {
		whole = run{q, *r}
	}
	line, err := json.Marshal(whole)
	if err != nil {
		return nil, unsent(err)
	}
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	for {
		select {
		case c.lines <- append(line, '\n'):
			return w, nil
		case <-c.ended:
			return nil, unsent(c.err)
		case <-ctx.Done():
			return nil, unsent(ctx.Err())
		case <-timer.C:
			timer.Reset(c.quiet(w))
		}
	}
}

// wait waits for an answer.
func (c *conn) wait(ctx context.Context, w *call) (*answer, error) {
	timer := time.NewTimer(c.timeout)
	defer timer.Stop()
	for {
		select {
		case a := <-w.answered:
			return c.accept(w, a)
		case <-ctx.Done():
			return nil, ctx.Err() // the answer is awaited no more
		case <-c.ended:
			select {
			case a := <-w.answered:
				return c.accept(w, a)
			default:
				return nil, c.err
			}
		case <-timer.C:
			timer.Reset(c.quiet(w))
		}
	}
}

// accept is an answer, or the refusal that it holds.
func (c *conn) accept(w *call, a *answer) (*answer, error) {
	if a.Error != nil {
		return nil, fmt.Errorf("%s answers %s with the error: %s", c.name, w.method, *a.Error)
	}
	return a, nil
}

// quiet ends a process that has said nothing for too long, and is how much longer it may.
func (c *conn) quiet(w *call) time.Duration {
	c.mu.Lock()
	since := w.began
	if c.heard.After(since) {
		since = c.heard
	}
	c.mu.Unlock()
	left := c.timeout - time.Since(since)
	if left <= 0 {
		c.fail(fmt.Errorf("has said nothing for %s, asked for %s", c.timeout, w.method))
		c.kill()
	}
	return max(left, time.Millisecond)
}

// close ends the process: it is told by the end of its standard input, and killed if it takes long.
func (c *conn) close() {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	c.stdin.Close() // a writer that waits is told
	select {
	case <-c.exited:
	case <-time.After(toEnd):
		c.kill()
		<-c.exited
	}
	c.fail(nil) // whatever holds its output
}

// commandText is a command as a person would write it.
func commandText(cmd *exec.Cmd) string {
	if n := len(cmd.Args); n == 3 && cmd.Args[1] == shellFlag {
		return cmd.Args[2]
	}
	return strings.Join(cmd.Args, " ")
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Of what a process said last: how many bytes are kept, and how many lines are told.
const (
	tailBytes = 4 << 10
	tailLines = 3
)

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if n := len(t.text) - tailBytes; n > 0 {
		t.text = append(t.text[:0], t.text[n:]...)
	}
	return len(p), nil
}

// quoted is what an error says of it: nothing where it is empty.
func (t *tail) quoted() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for line := range strings.Lines(strings.ToValidUTF8(string(t.text), "\ufffd")) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return "; its last words: " + strings.Join(lines[max(0, len(lines)-tailLines):], " / ")
}
