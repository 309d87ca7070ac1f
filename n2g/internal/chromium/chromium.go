// Package chromium photographs a page with a headless Chromium, where one is installed: the way to a picture of text
// that the built-in fonts cannot draw.
package chromium

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
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

// frame is added to the window, since some versions count a frame of about 90 pixels that is never drawn as part of
// it; the picture is cut to size.
const frame = 200

// Screenshot returns a PNG of page, a whole HTML document, seen through a window of width by height CSS pixels of scale
// device pixels each; scale shrinks where a side would exceed what Chromium can capture. The page is opened as a
// file with an empty profile and without network. Its files lie in a folder that only the user can enter, in the user's
// cache, and are removed.
func Screenshot(ctx context.Context, page []byte, width, height int, scale float64) ([]byte, error) {
	path, err := Find()
	if err != nil {
		return nil, err
	}
	folder, err := workFolder()
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
	scale = min(scale, longestSide/(math.Max(float64(width), float64(height))+frame))
	command := exec.CommandContext(ctx, path, append(Flags(folder),
		fmt.Sprintf("--window-size=%d,%d", width+frame, height+frame),
		fmt.Sprintf("--force-device-scale-factor=%g", scale),
		"--screenshot="+target, "file://"+source)...)
	command.Env = append(os.Environ(), "TMPDIR="+folder) // what a killed one leaves goes with the folder
	command.WaitDelay = time.Second
	var said bytes.Buffer
	command.Stderr = &said
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("taking a picture with %s: %w (%s)", path, err, lastLine(said.Bytes()))
	}
	picture, err := os.ReadFile(target)
	if err != nil {
		return nil, fmt.Errorf("%s made no picture: %s", path, lastLine(said.Bytes()))
	}
	return cut(picture, int(math.Ceil(float64(width)*scale)), int(math.Ceil(float64(height)*scale)))
}

// Flags start a Chromium without a window, an empty profile in a folder, and no way to the network: nothing of a page
// may be fetched from elsewhere.
func Flags(folder string) []string {
	flags := []string{
		"--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--proxy-server=127.0.0.1:9", "--user-data-dir=" + filepath.Join(folder, "profile"),
	}
	if os.Geteuid() == 0 {
		flags = append(flags, "--no-sandbox") // its sandbox refuses to run as root
	}
	return flags
}

// workFolder makes a folder in the user's cache, or where there is none to write to, in the folder of temporary files.
func workFolder() (string, error) {
	if cache, err := os.UserCacheDir(); err == nil && os.MkdirAll(cache, 0o700) == nil {
		if folder, err := os.MkdirTemp(cache, "n2g-chromium-"); err == nil {
			return folder, nil
		}
	}
	return os.MkdirTemp("", "n2g-chromium-")
}

// cut returns the upper left corner of a picture.
func cut(picture []byte, width, height int) ([]byte, error) {
	decoded, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("reading Chromium's picture: %w", err)
	}
	corner := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(corner, corner.Bounds(), decoded, image.Point{}, draw.Src)
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&b, corner); err != nil {
		return nil, fmt.Errorf("writing the picture: %w", err)
	}
	return b.Bytes(), nil
}

func lastLine(text []byte) []byte {
	text = bytes.TrimSpace(text)
	return text[bytes.LastIndexByte(text, '\n')+1:]
}
