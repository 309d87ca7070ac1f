package process

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// FuzzAnswer: no line makes the reader fail otherwise than by an error, and what it reads has the lengths asked. A
// second reading by encoding/json gives the same numbers.
func FuzzAnswer(f *testing.F) {
	for _, line := range []string{
		`{"id":1,"protocol":1,"name":"m","context_length":8,"bos":0,"sites":[{"layer":1,"hook":"hook_post","width":3}]}`,
		`{"id":2,"activations":[[1,2.5,-3e-2]]}`, `{"id":2,"activations":[[NaN,Infinity,-Infinity]]}`,
		`{"id":2,"activations":[[[1,2],[3,null],[5,6]]]}`, `{"id":2,"activations":["AACAPwAAgD8AAIA/"]}`,
		`{"id":3,"ids":[[1,2]],"offsets":[[[0,1],[1,2]]]}`, `{"id":4,"texts":["NaN \" \\","\ud800"]}`,
		`{"id":5,"error":"no"}`, `{"id":2,"activations":[[],[[]],[[],[]]]}`, `[NaN`, `"\`, `{"id":2,"activations":[[1,[2]]]}`,
	} {
		f.Add([]byte(line), 3, 2)
	}
	f.Fuzz(func(t *testing.T, line []byte, seq, width int) {
		a, err := parseAnswer(line)
		if err != nil {
			return
		}
		a.about.check() // of anything
		seq, width = 1+abs(seq)%8, 1+abs(width)%4
		for _, raw := range a.Activations {
			values, err := floats(raw, seq, width)
			if err != nil {
				continue
			}
			if len(values) != seq*width {
				t.Fatalf("%d numbers of %s, want %d", len(values), raw, seq*width)
			}
			var want []float32
			var flat []*float64
			var nested [][]*float64
			switch {
			case json.Unmarshal(raw, &flat) == nil:
			case json.Unmarshal(raw, &nested) == nil:
				flat = slices.Concat(nested...)
			default:
				continue // base64, or beyond float64
			}
			for _, v := range flat {
				if v == nil {
					v = new(math.NaN())
				}
				want = append(want, float32(*v))
			}
			for i, v := range values {
				// Rounding twice, by way of float64, can differ in the last place.
				off := math.Abs(float64(v) - float64(want[i]))
				if both := v != v && want[i] != want[i]; !both && v != want[i] && !(off <= 1e-6*math.Abs(float64(v))) {
					t.Fatalf("number %d of %s is %g, want %g", i, raw, v, want[i])
				}
			}
		}
	})
}

func abs(n int) int { return max(n, -max(n, -math.MaxInt)) }

// BenchmarkAnswer is the reading of an answer for all 512 numbers on 32 prompts of 128 tokens, in both forms.
func BenchmarkAnswer(b *testing.B) {
	const prompts, seq, width = 32, 128, 512
	r := rand.New(rand.NewPCG(1, 2))
	row := make([]float32, seq*width)
	nested := make([][]float32, seq)
	for i := range row {
		row[i] = float32(r.NormFloat64())
	}
	for i := range nested {
		nested[i] = row[i*width : (i+1)*width]
	}
	for name, entry := range map[string]any{"lists": nested, "base64": encoded(row)} {
		line, err := json.Marshal(map[string]any{"id": 1, "activations": slices.Repeat([]any{entry}, prompts)})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				a, err := parseAnswer(line)
				if err != nil {
					b.Fatal(err)
				}
				for _, raw := range a.Activations {
					if _, err := floats(raw, seq, width); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(prompts*seq*width)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mnumbers/s")
		})
	}
}
