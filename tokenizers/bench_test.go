package tokenizers

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goSource is about n bytes of the Go toolchain's own source, or, where that is absent, of the golden cases.
func goSource(b *testing.B, n int) string {
	b.Helper()
	var text bytes.Buffer
	root, _ := exec.Command("go", "env", "GOROOT").Output()
	files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "src", "*", "*.go"))
	slices.Sort(files)
	for i := 0; i < len(files) && text.Len() < n; i += 7 {
		data, err := os.ReadFile(files[i])
		if err != nil {
			b.Fatal(err)
		}
		text.Write(data)
	}
	if text.Len() < n {
		for _, c := range readGolden(b, "bpe_gpt2") {
			if c.Kind == "goblock" || c.Kind == "gosrc" {
				text.WriteString(c.Text)
			}
		}
	}
	return strings.ToValidUTF8(text.String()[:min(n, text.Len())], "")
}

// BenchmarkEncode is tokenization of 4 MB of Go source text: MB/s on one core, a tokenizer in use (warm: its word cache
// is full) and a new one (cold).
func BenchmarkEncode(b *testing.B) {
	src := goSource(b, 4<<20)
	for _, name := range []string{"bpe_gpt2", "bpe_neox", "wordpiece"} {
		data, err := os.ReadFile(filepath.Join(goldenDir, name+".tokenizer.json"))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/warm", func(b *testing.B) {
			tok, err := Parse(data, nil)
			if err != nil {
				b.Fatal(err)
			}
			tok.Encode(src)
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				tok.Encode(src)
			}
		})
		b.Run(name+"/cold", func(b *testing.B) {
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				b.StopTimer()
				tok, err := Parse(data, nil)
				if err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				tok.Encode(src)
			}
		})
	}
}

// BenchmarkLongLine is a line without a blank: one word. Its time is to grow with its length, not with the square.
func BenchmarkLongLine(b *testing.B) {
	tok, err := Open(filepath.Join(goldenDir, "bpe_gpt2.tokenizer.json"))
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []int{1 << 16, 1 << 20} {
		line := strings.Repeat("abcdefghijklmnopqrstuvwxyz", size/26)
		b.Run(byteSize(size), func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				tok.Encode(line)
			}
		})
	}
}

func byteSize(n int) string {
	if n >= 1<<20 {
		return "1MB"
	}
	return "64KB"
}

func BenchmarkDecode(b *testing.B) {
	tok, err := Open(filepath.Join(goldenDir, "bpe_gpt2.tokenizer.json"))
	if err != nil {
		b.Fatal(err)
	}
	src := goSource(b, 1<<20)
	ids := tok.Encode(src).IDs
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		tok.Decode(ids, false)
	}
}

// BenchmarkParse is the time to open a tokenizer of 16,000 entries.
func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile(filepath.Join(goldenDir, "bpe_gpt2.tokenizer.json"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Parse(data, nil); err != nil {
			b.Fatal(err)
		}
	}
}
