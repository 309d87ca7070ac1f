package serve_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/neuron2graph/neuron2graph/n2g/internal/chromium"
)

// browser is a Chromium that watches what pages do.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	problems []string
}

// openBrowser starts Chromium; pages of it may only ask origin (or files, where that is empty).
func openBrowser(t *testing.T, origin string) *browser {
	t.Helper()
	path, err := chromium.Find()
	if err != nil {
		t.Skipf("pages are tried in a browser: %v", err)
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.WindowSize(1280, 900)}
	for _, flag := range chromium.Flags(profileFolder(t)) {
		name, value, ok := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		if ok {
			options = append(options, chromedp.Flag(name, value))
		} else {
			options = append(options, chromedp.Flag(name, true))
		}
	}
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, func(event any) {
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			b.problem("exception: %s", event.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if event.Type == runtime.APITypeError || event.Type == runtime.APITypeWarning {
				b.problem("console: %s", event.Args[0].Value)
			}
		case *log.EventEntryAdded:
			if event.Entry.Level == log.LevelError || event.Entry.Level == log.LevelWarning {
				b.problem("log: %s %s", event.Entry.Text, event.Entry.URL)
			}
		case *network.EventRequestWillBeSent:
			u, err := url.Parse(event.Request.URL)
			if err != nil || u.Scheme+"://"+u.Host != origin && u.Scheme != "data" && !(origin == "" && u.Scheme == "file") {
				b.problem("a request leaves the origin: %s", event.Request.URL)
			}
		}
	})
	if err := chromedp.Run(ctx, log.Enable(), network.Enable()); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return b
}

// profileFolder is a temporary folder whose removal waits for the processes that Chromium leaves behind for a moment,
// which still write there.
func profileFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "n2g-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		var err error
		for range 100 {
			if err = os.RemoveAll(folder); err == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Error(err)
	})
	return folder
}

func (b *browser) problem(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, fmt.Sprintf(format, args...))
}

// do runs actions, and fails if the pages complained.
func (b *browser) do(what string, actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	err := chromedp.Run(ctx, actions...)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		b.t.Errorf("%s: %s", what, p)
	}
	b.problems = nil
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
}

// text evaluates a script that gives a text.
func (b *browser) text(script string) string {
	b.t.Helper()
	var out string
	b.do(script, chromedp.Evaluate(script, &out))
	return out
}

// wait waits until a script gives true.
func (b *browser) wait(what, script string) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		var done bool
		b.do(what, chromedp.Evaluate(script, &done))
		if done {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%s: %s never came true", what, script)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// shot keeps a picture of the page in the folder that N2G_SHOTS names, to be looked at.
func (b *browser) shot(name string) {
	b.t.Helper()
	folder := os.Getenv("N2G_SHOTS")
	if folder == "" {
		return
	}
	var picture []byte
	b.do("a picture", chromedp.CaptureScreenshot(&picture))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
