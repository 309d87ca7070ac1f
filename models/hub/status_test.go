package hub

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "-3": 0, "7": 7 * time.Second, "99999999": time.Hour, "soon": 0,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second, now.Add(-time.Hour).Format(http.TimeFormat): 0,
		now.Add(48 * time.Hour).Format(http.TimeFormat): time.Hour,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

// The hub's own pause goes before ours, within reason; without one pauses double.
func TestPause(t *testing.T) {
	c := &Client{options: Options{Backoff: time.Second}}
	asked := func(pause time.Duration) error { return &statusError{code: 429, retryAfter: pause} }
	for _, step := range []struct {
		n    int
		err  error
		want time.Duration
	}{
		{1, asked(0), time.Second}, {3, asked(0), 4 * time.Second}, {1, asked(7 * time.Second), 7 * time.Second},
		{1, asked(time.Hour), time.Minute}, {60, errStalled, time.Minute},
	} {
		if got := c.pause(step.n, step.err); got != step.want {
			t.Errorf("after failure %d, %v: %v, want %v", step.n, step.err, got, step.want)
		}
	}
}
