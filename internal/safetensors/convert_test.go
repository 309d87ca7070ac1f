package safetensors

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/neuron2graph/neuron2graph/internal/half"
)

// TestEveryHalf checks all 65,536 binary16 values against the definition of the format.
func TestEveryHalf(t *testing.T) {
	for bits := range 1 << 16 {
		h := uint16(bits)
		exponent, fraction := int(h>>10&0x1f), float64(h&0x3ff)
		var want float64
		switch exponent {
		case 0:
			want = math.Ldexp(fraction, -24)
		case 31:
			want = math.Inf(1)
			if fraction != 0 {
				want = math.NaN()
			}
		default:
			want = math.Ldexp(1024+fraction, exponent-25)
		}
		if h>>15 == 1 {
			want = -want
		}
		got := half.ToFloat32(h)
		if math.IsNaN(want) {
			if got == got || !isNaNHalf(float32ToHalf(got)) {
				t.Fatalf("%04x: %g, want NaN there and back", h, got)
			}
			continue
		}
		if float64(got) != want || math.Signbit(float64(got)) != (h>>15 == 1) {
			t.Fatalf("%04x is %g, want %g", h, got, want)
		}
		if back := float32ToHalf(got); back != h {
			t.Fatalf("%04x is %g, which is written as %04x", h, got, back)
		}
	}
}

func isNaNHalf(h uint16) bool { return h&0x7fff > 0x7c00 }

// TestHalfRounding takes the middle between neighbours, and the values just beside it.
func TestHalfRounding(t *testing.T) {
	for h := uint16(0); h < 0x7c00; h++ {
		low, high := half.ToFloat32(h), half.ToFloat32(h+1)
		if h == 0x7bff {
			high = 65536 // where the next value would be, were it finite
		}
		middle := low + (high-low)/2
		even := h + h&1
		for _, c := range []struct {
			value float32
			want  uint16
		}{
			{middle, even},
			{math.Nextafter32(middle, 0), h},
			{math.Nextafter32(middle, 1e30), h + 1},
		} {
			if got := float32ToHalf(c.value); got != c.want {
				t.Fatalf("%g is written as %04x, want %04x", c.value, got, c.want)
			}
			if got := float32ToHalf(-c.value); got != c.want|0x8000 {
				t.Fatalf("%g is written as %04x, want %04x", -c.value, got, c.want|0x8000)
			}
		}
	}
}

func TestOtherTypes(t *testing.T) {
	bf16 := []byte{0x80, 0x3f, 0x49, 0xc0}
	got := make([]float32, 2)
	toFloat32(BF16, got, bf16)
	if got[0] != 1 || got[1] != -3.140625 {
		t.Errorf("BF16: %v", got)
	}
	f64 := littleEndian.AppendUint64(littleEndian.AppendUint64(nil, math.Float64bits(math.Pi)), math.Float64bits(-1e300))
	toFloat32(F64, got, f64)
	if got[0] != math.Pi || !math.IsInf(float64(got[1]), -1) {
		t.Errorf("F64: %v", got)
	}
}

// TestFourHalves: four at a time convert as one at a time does, whatever lies beside a value.
func TestFourHalves(t *testing.T) {
	for bits := range 1 << 16 {
		for _, beside := range []uint16{0x2e66, 0x0001, 0x7c00, 0x8000, 0xfbff} {
			halves := [4]uint16{beside, beside, beside, beside}
			halves[bits%4] = uint16(bits)
			src := []byte{}
			for _, h := range halves {
				src = littleEndian.AppendUint16(src, h)
			}
			got := make([]float32, 4)
			toFloat32(F16, got, src)
			for i, h := range halves {
				if math.Float32bits(got[i]) != math.Float32bits(half.ToFloat32(h)) {
					t.Fatalf("%04x gives %g, value %d is %g alone", halves, got, i, half.ToFloat32(h))
				}
			}
		}
	}
}

// BenchmarkConvert reads a tensor of a million values, spread as a model's weights are; the figure is that of the
// float32 values made.
func BenchmarkConvert(b *testing.B) {
	const n = 1 << 20
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(rng.NormFloat64() * 0.02)
	}
	for _, t := range []DType{F32, F16, BF16, F64} {
		var src []byte
		for _, v := range values {
			switch t {
			case F32:
				src = littleEndian.AppendUint32(src, math.Float32bits(v))
			case F16:
				src = littleEndian.AppendUint16(src, float32ToHalf(v))
			case BF16:
				src = littleEndian.AppendUint16(src, uint16(math.Float32bits(v)>>16))
			case F64:
				src = littleEndian.AppendUint64(src, math.Float64bits(float64(v)))
			}
		}
		b.Run(string(t), func(b *testing.B) {
			b.SetBytes(4 * n)
			dst := make([]float32, n)
			for b.Loop() {
				if err := ReadFloat32s(bytes.NewReader(src), 0, t, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run(fmt.Sprintf("to %s", F16), func(b *testing.B) {
		b.SetBytes(4 * n)
		dst := make([]byte, 2*n)
		for b.Loop() {
			for i, v := range values {
				littleEndian.PutUint16(dst[2*i:], float32ToHalf(v))
			}
		}
	})
}
