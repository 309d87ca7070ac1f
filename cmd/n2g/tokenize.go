package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/neuron2graph/neuron2graph/tokenizers"
)

// tokenizeInput is a line of -jsonl.
type tokenizeInput struct {
	Text    *string `json:"text"`
	TextB64 []byte  `json:"text_b64"` // for a text that is not UTF-8
}

// tokenizeOutput is what a tokenizer makes of a text.
type tokenizeOutput struct {
	IDs               []int    `json:"ids"`
	IDsSpecial        []int    `json:"ids_special"` // with what the post-processor adds
	Offsets           [][2]int `json:"offsets"`     // bytes of the text
	Pieces            []string `json:"pieces"`      // text of each id alone
	Decode            string   `json:"decode"`
	DecodeSkipSpecial string   `json:"decode_skip_special"`
}

func tokenizeText(tokenizer tokenizers.Tokenizer, text string) tokenizeOutput {
	encoding := tokenizer.Encode(text)
	out := tokenizeOutput{
		IDs:               append([]int{}, encoding.IDs...), // never null in JSON
		IDsSpecial:        append([]int{}, tokenizer.EncodeSpecial(text).IDs...),
		Offsets:           append([][2]int{}, encoding.Offsets...),
		Pieces:            make([]string, len(encoding.IDs)),
		Decode:            tokenizer.Decode(encoding.IDs, false),
		DecodeSkipSpecial: tokenizer.Decode(encoding.IDs, true),
	}
	for i, id := range encoding.IDs {
		out.Pieces[i] = tokenizer.TokenString(id)
	}
	return out
}

func (a *app) tokenize() *command {
	c := newCommand("tokenize", "show the tokens of a text")
	c.long = `Prints one token a line: its id, its bytes in the text, its text. With -json one JSON object: ids, ids_special (with
what the post-processor adds), offsets, pieces, decode, decode_skip_special. With -jsonl one such object for each line of
standard input, an object with text, or text_b64 where the text is not UTF-8.`
	c.examples = []string{
		`-tokenizer model/tokenizer.json -text 'A text.'`,
		`-tokenizer model -file file.txt`,
		`-tokenizer model -jsonl < texts.jsonl > tokens.jsonl`,
	}
	path := c.path(reads, "tokenizer", "", "`FILE` a tokenizer.json, or a folder that holds one")
	source := textFlagsOf(c, "to split")
	asJSON := c.flags.Bool("json", false, "print JSON")
	lines := c.flags.Bool("jsonl", false, "read JSON Lines from standard input and write as many")
	c.run = func(ctx context.Context) error {
		if *path == "" {
			return errors.New("name a tokenizer with -tokenizer FILE")
		}
		tokenizer, err := tokenizers.Open(*path)
		if err != nil {
			return err
		}
		if *lines {
			return buffered(a.stdout, func(w io.Writer) error { return tokenizeLines(ctx, tokenizer, a.stdin, w) })
		}
		if !source.given() {
			return errors.New("give a text with -text TEXT or -file FILE, or -jsonl to read many from standard input")
		}
		text, err := source.read(a)
		if err != nil {
			return err
		}
		out := tokenizeText(tokenizer, text)
		if *asJSON {
			return buffered(a.stdout, func(w io.Writer) error { return encodeJSON(w, out) })
		}
		return a.print(func(w io.Writer) error {
			table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "ID\tBYTES\tTOKEN")
			for i, id := range out.IDs {
				fmt.Fprintf(table, "%d\t%d-%d\t%q\n", id, out.Offsets[i][0], out.Offsets[i][1], out.Pieces[i])
			}
			return table.Flush()
		})
	}
	return c
}

// tokenizeLines answers a stream of JSON Lines.
func tokenizeLines(ctx context.Context, tokenizer tokenizers.Tokenizer, r io.Reader, w io.Writer) error {
	reader := bufio.NewReaderSize(r, 1<<20)
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading standard input: %w", err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			if err := checkUTF8(line); err != nil {
				return fmt.Errorf("line %d of standard input: %w, or give the text as text_b64", number, err)
			}
			var in tokenizeInput
			if err := json.Unmarshal(line, &in); err != nil {
				return fmt.Errorf("line %d of standard input is no JSON object with text or text_b64: %w", number,
					jsonComplaint(err))
			}
			text := string(in.TextB64)
			switch {
			case in.Text != nil:
				text = *in.Text
			case in.TextB64 == nil:
				return fmt.Errorf("line %d of standard input has neither text nor text_b64", number)
			}
			if err := encodeJSON(w, tokenizeText(tokenizer, text)); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
