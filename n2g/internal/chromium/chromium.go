// Package chromium photographs a page with a headless Chromium, where one is installed: the way to a picture of text
// that the built-in fonts cannot draw.
package chromium

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// ErrMissing says that no Chromium is installed.
var ErrMissing = errors.New("no Chromium is installed (Debian: apt-get install chromium)")

// names under which distributions install it.
var names = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}

// patience is how long one picture may take; starting takes a second or two.
const patience = time.Minute

// longestSide in pixels that Chromium captures whole.
const longestSide = 16384

// Find returns the path of an installed Chromium.
func Find() (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing
}

// Screenshot returns a PNG of page, a whole HTML document, seen through a window of width by height CSS pixels of scale
// device pixels each; scale shrinks where a side would exceed what Chromium can capture. The page is opened as a
// file with an empty profile and without network.
func Screenshot(ctx context.Context, page []byte, width, height int, scale float64) ([]byte, error) {
	path, err := Find()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "n2g-chromium-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for Chromium: %w", err)
	}
	defer os.RemoveAll(folder)
	source, target := filepath.Join(folder, "page.html"), filepath.Join(folder, "page.png")
	if err := os.WriteFile(source, page, 0o600); err != nil {
		return nil, fmt.Errorf("writing the page for Chromium: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	scale = min(scale, longestSide/math.Max(float64(width), float64(height)))
	command := exec.CommandContext(ctx, path,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--proxy-server=127.0.0.1:9", // nothing of a page may be fetched from elsewhere
		"--user-data-dir="+filepath.Join(folder, "profile"),
		fmt.Sprintf("--window-size=%d,%d", width, height),
		fmt.Sprintf("--force-device-scale-factor=%g", scale),
		"--screenshot="+target, "file://"+source)
	command.WaitDelay = time.Second
	var said bytes.Buffer
	command.Stderr = &said
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("taking a picture with %s: %w (%s)", path, err, lastLine(said.Bytes()))
	}
	picture, err := os.ReadFile(target)
	if err != nil {
		return nil, fmt.Errorf("%s made no picture: %s", path, lastLine(said.Bytes()))
	}
	return picture, nil
}

func lastLine(text []byte) []byte {
	text = bytes.TrimSpace(text)
	return text[bytes.LastIndexByte(text, '\n')+1:]
}
