package chromium_test

import (
	"bytes"
	"context"
	"errors"
	"image/png"
	"testing"

	"github.com/neuron2graph/neuron2graph/n2g/internal/chromium"
)

func TestScreenshot(t *testing.T) {
	picture, err := chromium.Screenshot(t.Context(), []byte(`<body style="margin:0;background:#f00">`), 300, 200, 2)
	if errors.Is(err, chromium.ErrMissing) {
		t.Skipf("%v (Debian: apt-get install chromium)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	image, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	if size := image.Bounds().Size(); size.X != 600 || size.Y != 400 {
		t.Errorf("size %v, want 600 by 400", size)
	}
	if r, g, b, _ := image.At(599, 399).RGBA(); r>>8 != 255 || g != 0 || b != 0 {
		t.Errorf("corner is %x %x %x, want red", r, g, b)
	}
}

func TestScreenshotCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := chromium.Screenshot(ctx, nil, 10, 10, 1); err == nil {
		t.Error("a cancelled context gave a picture")
	}
}
