package tiny

import (
	"archive/zip"
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"sync"
)

// Name is the name of the causal model: what models.Open takes, and what it then calls the model.
const Name = "tiny"

//go:embed causal masked
var folders embed.FS

//go:embed sae
var autoEncoder embed.FS

//go:embed sample.zip
var sample []byte

//go:embed index.n2g
var activationIndex []byte

// Causal is the model folder of the causal model: config.json, model.safetensors, tokenizer.json,
// tokenizer_config.json.
func Causal() fs.FS { return folder(folders, "causal") }

// Masked is the model folder of the masked model.
func Masked() fs.FS { return folder(folders, "masked") }

// SAE is the folder of the sparse auto-encoder of the causal model, as SAELens lays it out: 512 features of
// blocks.1.hook_resid_post.
func SAE() fs.FS { return folder(autoEncoder, "sae") }

// folder is a folder of the embedded ones.
func folder(of fs.FS, name string) fs.FS {
	sub, err := fs.Sub(of, name)
	if err != nil {
		// Only a name that is no valid path fails.
		panic(fmt.Sprintf("tiny: %v", err))
	}
	return sub
}

// Sample is text that the models were not trained on: the held-out files of the Go source tree under their paths, and
// the LICENSE they come under.
func Sample() fs.FS { return openSample() }

var openSample = sync.OnceValue(func() fs.FS {
	texts, err := ReadSample(sample)
	if err != nil {
		// The archive is part of the program; the tests read all of it.
		panic(fmt.Sprintf("tiny: %v", err))
	}
	return texts
})

// ReadSample opens a zip archive of texts like the embedded one. Files are unpacked when they are read.
func ReadSample(archive []byte) (fs.FS, error) {
	texts, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, fmt.Errorf("opening the sample of texts: %w", err)
	}
	return texts, nil
}

// Index is the activation index of the causal model on [Sample]: what index.Read of package n2g/index opens. It holds
// the sample as token ids, every neuron's statistics over all of it, and the postings of its top examples; of neurons
// that reach a quarter of their maximum on no more than 0.2 % of tokens, all such postings.
func Index() []byte { return activationIndex }
