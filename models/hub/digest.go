package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
)

// damagedError says that a file's bytes are not those that the hub told of.
type damagedError struct{ got, want string }

func (e *damagedError) Error() string {
	return fmt.Sprintf("it arrived damaged: its hash is %s, and should be %s", e.got, e.want)
}

// verify compares a whole file with the hash that the hub told.
func verify(ctx context.Context, r io.Reader, file File) error {
	var digest hash.Hash
	if len(file.Hash) == hex.EncodedLen(sha256.Size) {
		digest = sha256.New()
	} else {
		// git hashes a file behind a header of its kind and length.
		digest = sha1.New()
		fmt.Fprintf(digest, "blob %d\x00", file.Size)
	}
	if _, err := io.Copy(digest, &contextReader{ctx, r}); err != nil {
		return err
	}
	if got := hex.EncodeToString(digest.Sum(nil)); got != file.Hash {
		return &damagedError{got, file.Hash}
	}
	return nil
}

// contextReader stops a long read when ctx ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
