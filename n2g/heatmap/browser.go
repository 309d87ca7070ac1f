package heatmap

import (
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// findBrowser returns the path of a Chromium, empty where there is none.
func findBrowser(name string) string {
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}
	if name != "" {
		names = []string{name}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// screenshot draws an SVG with a headless Chromium of its own empty profile, which reaches no network.
func screenshot(ctx context.Context, browser, svg string, s scene, scale float64) ([]byte, error) {
	folder, err := os.MkdirTemp("", "n2g-heatmap-")
	if err != nil {
		return nil, fmt.Errorf("heatmap: cannot make a folder for the browser's files: %w", err)
	}
	defer os.RemoveAll(folder)
	page := filepath.Join(folder, "map.html")
	out := filepath.Join(folder, "map.png")
	text := `<!DOCTYPE html><html><head><meta charset="utf-8"/><style>body{margin:0}svg{display:block}</style></head><body>` + svg + `</body></html>`
	if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("heatmap: cannot write the page that the browser draws: %w", err)
	}
	args := []string{
		"--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--user-data-dir=" + filepath.Join(folder, "profile"),
		"--force-device-scale-factor=" + strconv.FormatFloat(scale, 'g', -1, 64),
		fmt.Sprintf("--window-size=%.0f,%.0f", math.Ceil(s.width)+browserFrame, math.Ceil(s.height)+browserFrame),
		"--screenshot=" + out,
	}
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // its sandbox refuses to run as root
	}
	command := exec.CommandContext(ctx, browser, append(args, "file://"+page)...)
	command.WaitDelay = 5 * time.Second // its children may outlive it when ctx ends
	said, err := command.CombinedOutput()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("heatmap: %s could not draw the map (%w): %s", browser, err, lastLine(said))
	}
	shot, err := os.Open(out)
	if err != nil {
		return nil, fmt.Errorf("heatmap: %s drew no picture: %s", browser, lastLine(said))
	}
	defer shot.Close()
	picture, err := png.Decode(shot)
	if err != nil {
		return nil, fmt.Errorf("heatmap: %s drew a picture that is no PNG: %w", browser, err)
	}
	size := image.Rect(0, 0, int(math.Ceil(s.width*scale)), int(math.Ceil(s.height*scale)))
	cut := image.NewRGBA(size)
	draw.Draw(cut, size, picture, image.Point{}, draw.Src)
	return encode(cut)
}

// browserFrame is added to the window, since some versions count a frame of about 90 pixels that is never drawn as
// part of it; the picture is cut to size.
const browserFrame = 200

// lastLine is the last line of a program's output.
func lastLine(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return lines[len(lines)-1]
}
