//go:build daulet && cgo

package tokenizers

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"

	"github.com/daulet/tokenizers"
)

// OpenDaulet is [Open] over the Rust library, by way of github.com/daulet/tokenizers: it reads every kind of
// tokenizer.json, Unigram included. It needs that module's libtokenizers.a at link time, and differs from [Open] where
// its C interface does: a text ends at its first NUL, trimmed offsets count blanks beyond ASCII as one byte, and
// TokenString follows the file's decoder, which with Metaspace
// and Strip drops the leading space.
func OpenDaulet(path string) (Tokenizer, error) {
	file, data, config, err := readFiles(path)
	if err != nil {
		return nil, err
	}
	d, unknown, err := newDaulet(data)
	if err != nil {
		return nil, fmt.Errorf("open tokenizer %s: %w", file, err)
	}
	if d.special, err = findSpecial(d, unknown, config); err != nil {
		return nil, fmt.Errorf("open tokenizer %s: %w", file, err)
	}
	return d, nil
}

// daulet is a Tokenizer of the Rust library.
type daulet struct {
	lib     *tokenizers.Tokenizer
	ids     map[string]int
	special Special
}

// newDaulet also returns how the file spells the unknown token.
func newDaulet(data []byte) (*daulet, string, error) {
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, "", fmt.Errorf("no tokenizer.json: %w", err)
	}
	ids, unknown, err := entries(file)
	if err != nil {
		return nil, "", err
	}
	delete(file, "truncation") // the library would obey them
	delete(file, "padding")
	if data, err = json.Marshal(file); err != nil {
		return nil, "", err
	}
	lib, err := tokenizers.FromBytes(data)
	if err != nil {
		return nil, "", fmt.Errorf("the Rust library refuses it: %w", err)
	}
	d := &daulet{lib: lib, ids: ids}
	runtime.AddCleanup(d, func(lib *tokenizers.Tokenizer) { lib.Close() }, lib)
	return d, unknown, nil
}

// entries reads the ids of all tokens, for which the C interface has no call.
func entries(file map[string]json.RawMessage) (ids map[string]int, unknown string, err error) {
	var model struct {
		Vocab    json.RawMessage `json:"vocab"`
		UnkToken string          `json:"unk_token"`
	}
	var added []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
	}
	if err := json.Unmarshal(file["model"], &model); err != nil {
		return nil, "", fmt.Errorf("model: %w", err)
	}
	if !isNull(file["added_tokens"]) {
		if err := json.Unmarshal(file["added_tokens"], &added); err != nil {
			return nil, "", fmt.Errorf("added_tokens: %w", err)
		}
	}
	if json.Unmarshal(model.Vocab, &ids) != nil {
		var scored [][]any // Unigram: [token, score], the id being the index
		if err := json.Unmarshal(model.Vocab, &scored); err != nil {
			return nil, "", errors.New("model: its vocab is neither a table nor a list")
		}
		ids = make(map[string]int, len(scored))
		for id, entry := range scored {
			if len(entry) > 0 {
				if token, ok := entry[0].(string); ok {
					ids[token] = id
				}
			}
		}
	}
	if ids == nil {
		ids = make(map[string]int)
	}
	for _, a := range added {
		ids[a.Content] = a.ID
	}
	return ids, model.UnkToken, nil
}

func (d *daulet) Encode(text string) Encoding { return d.encode(text, false) }

func (d *daulet) EncodeSpecial(text string) Encoding { return d.encode(text, true) }

func (d *daulet) encode(text string, special bool) Encoding {
	text = ValidText(text)
	raw := d.lib.EncodeWithOptions(text, special, tokenizers.WithReturnOffsets())
	enc := Encoding{IDs: make([]int, len(raw.IDs)), Offsets: make([][2]int, len(raw.IDs))}
	for i, id := range raw.IDs {
		enc.IDs[i] = int(id)
		if i < len(raw.Offsets) {
			enc.Offsets[i] = [2]int{int(raw.Offsets[i][0]), int(raw.Offsets[i][1])}
		}
	}
	return enc
}

func (d *daulet) Decode(ids []int, skipSpecial bool) string {
	raw := make([]uint32, 0, len(ids))
	for _, id := range ids {
		if id >= 0 && id <= math.MaxInt32 {
			raw = append(raw, uint32(id))
		}
	}
	return d.lib.Decode(raw, skipSpecial)
}

func (d *daulet) TokenString(id int) string { return d.Decode([]int{id}, false) }

func (d *daulet) ID(token string) (int, bool) {
	id, ok := d.ids[token]
	return id, ok
}

func (d *daulet) VocabSize() int { return int(d.lib.VocabSize()) }

func (d *daulet) Special() Special { return d.special }
