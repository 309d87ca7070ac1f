package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/neuron2graph/neuron2graph/models/registry"
)

// mainRevision is the branch where none is named.
const mainRevision = "main"

// File is a file of a repository.
type File struct {
	// Path is relative to the repository, with slashes.
	Path string
	// Size is its length in bytes.
	Size int64
	// Hash is its SHA-256 where the hub keeps it as a large file, and git's hash (SHA-1) of its contents otherwise; in
	// lower-case hexadecimal, 64 or 40 digits. It also names the file's bytes in the cache.
	Hash string
}

// Listing is a repository at one commit.
type Listing struct {
	Repo, Commit string
	Files        []File
}

var (
	sha1Text   = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sha256Text = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// isHash says whether text is a hash that files are verified by.
func isHash(text string) bool { return sha1Text.MatchString(text) || sha256Text.MatchString(text) }

// List asks the hub which files a repository holds. An empty revision is the main branch.
func (c *Client) List(ctx context.Context, repo, revision string) (Listing, error) {
	if revision == "" {
		revision = mainRevision
	}
	if !registry.IsRepo(repo) {
		return Listing{}, fmt.Errorf("%q is no repository: its name has the form owner/name", repo)
	}
	if c.options.Offline {
		return Listing{}, fmt.Errorf("HF_HUB_OFFLINE is set, so nothing is asked of %s: unset it to download %s",
			c.options.Endpoint, repo)
	}
	address := fmt.Sprintf("%s/api/models/%s/revision/%s?blobs=true", c.options.Endpoint, repo, url.PathEscape(revision))
	var listing Listing
	err := c.retry(ctx, func() (bool, error) {
		const most = 64 << 20
		answer, err := c.request(ctx, http.MethodGet, address, 0)
		if err != nil {
			return false, err
		}
		defer answer.Close()
		if answer.StatusCode != http.StatusOK {
			return false, newStatusError(answer.Response)
		}
		text, err := io.ReadAll(io.LimitReader(answer, most))
		if err != nil {
			return false, err
		}
		listing, err = parseListing(text)
		return false, final(err)
	})
	if err != nil {
		return Listing{}, fmt.Errorf("list the files of %s: %w", repo, c.explain(err, repo, revision))
	}
	listing.Repo = repo
	return listing, nil
}

// parseListing reads the hub's description of a repository. Nothing in it is believed: paths become paths of this
// machine, and hashes names of files.
func parseListing(text []byte) (Listing, error) {
	var repository struct {
		Commit string `json:"sha"`
		Files  []struct {
			Path   string `json:"rfilename"`
			Size   *int64 `json:"size"`
			BlobID string `json:"blobId"`
			Large  *struct {
				SHA256 string `json:"sha256"`
				Size   *int64 `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(text, &repository); err != nil {
		return Listing{}, fmt.Errorf("the answer is not JSON of a hub's form, so HF_ENDPOINT may name something else: %w",
			err)
	}
	if !sha1Text.MatchString(repository.Commit) {
		return Listing{}, fmt.Errorf("the answer names %q as its commit, which is none", repository.Commit)
	}
	listing := Listing{Commit: repository.Commit}
	for _, f := range repository.Files {
		if !fs.ValidPath(f.Path) || f.Path == "." || !filepath.IsLocal(filepath.FromSlash(f.Path)) ||
			strings.Contains(f.Path, "\x00") {
			return Listing{}, fmt.Errorf("the answer names a file %q, which is no path inside a repository", f.Path)
		}
		file := File{Path: f.Path, Size: -1, Hash: f.BlobID}
		size := f.Size
		if f.Large != nil {
			file.Hash = f.Large.SHA256
			if f.Large.Size != nil {
				size = f.Large.Size
			}
		}
		if size != nil {
			file.Size = *size
		}
		if file.Size < 0 || !isHash(file.Hash) {
			file.Size, file.Hash = -1, "" // some mirrors do not tell: the file itself is asked then
		}
		listing.Files = append(listing.Files, file)
	}
	return listing, nil
}

// describe asks the hub for size and hash of a file that its listing does not describe.
func (c *Client) describe(ctx context.Context, listing Listing, file File) (File, error) {
	// Both stand in the hub's own answer, not in that of the storage it may redirect to.
	own := &http.Client{Transport: c.options.Transport,
		CheckRedirect: func(next *http.Request, before []*http.Request) error {
			if next.URL.Host != c.endpoint.Host {
				return http.ErrUseLastResponse
			}
			return c.redirect(next, before)
		}}
	asking := &Client{options: c.options, endpoint: c.endpoint, http: own}
	err := c.retry(ctx, func() (bool, error) {
		answer, err := asking.request(ctx, http.MethodHead, c.address(listing, file), 0)
		if err != nil {
			return false, err
		}
		defer answer.Close()
		if answer.StatusCode >= 400 {
			return false, newStatusError(answer.Response)
		}
		file.Hash = strings.Trim(strings.TrimPrefix(firstHeader(answer.Header, "X-Linked-Etag", "Etag"), "W/"), `"`)
		file.Size, err = strconv.ParseInt(firstHeader(answer.Header, "X-Linked-Size", "Content-Length"), 10, 64)
		if err != nil || file.Size < 0 || !isHash(file.Hash) {
			return false,
				final(fmt.Errorf("%s tells no size and hash of it, so what it sends could not be verified: set HF_ENDPOINT to "+
					"another hub", c.options.Endpoint))
		}
		return false, nil
	})
	if err != nil {
		return File{}, fmt.Errorf("%s of %s: %w", file.Path, listing.Repo, c.explain(err, listing.Repo, listing.Commit))
	}
	return file, nil
}

// firstHeader is the first of the header's fields that is there.
func firstHeader(header http.Header, names ...string) string {
	for _, name := range names {
		if value := header.Get(name); value != "" {
			return value
		}
	}
	return ""
}

// address is where a file is downloaded from.
func (c *Client) address(listing Listing, file File) string {
	var path strings.Builder
	for part := range strings.SplitSeq(file.Path, "/") {
		path.WriteString("/" + url.PathEscape(part))
	}
	return fmt.Sprintf("%s/%s/resolve/%s%s", c.options.Endpoint, listing.Repo, listing.Commit, path.String())
}
