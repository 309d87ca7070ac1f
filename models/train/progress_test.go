package train

import (
	"bytes"
	"strings"
	"testing"
)

func TestProgressOfAPipeIsLines(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, 7, 10, 100)
	for _, loss := range []float64{2, 2, 2} {
		p.step(loss)
	}
	p.close()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "step 8 of 10, loss 2.000") ||
		!strings.Contains(lines[1], "step 10 of 10") {
		t.Errorf("first and last step are reported, and those between after a while: %q", lines)
	}
	if p.loss() != 2 {
		t.Errorf("the smoothed loss of a constant 2 is %g", p.loss())
	}
	silent := newProgress(nil, 0, 1, 100)
	silent.step(1)
	silent.close()
}
