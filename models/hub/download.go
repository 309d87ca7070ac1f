package hub

import (
	"context"
	"fmt"
)

// Progress says how far a download has come.
type Progress struct {
	// Repo and File are what is being downloaded.
	Repo, File string
	// Done and Total count bytes, of all the files of the repository that are needed.
	Done, Total int64
}

// Download brings files of a repository into the cache: those that choose picks of all there are. An empty revision is
// the main branch. What is there already is not fetched again, and a broken download goes on where it stopped; of a
// branch that has moved on, the files that changed are fetched. progress, which may be nil, is called by one goroutine.
func (c *Client) Download(ctx context.Context, repo, revision string, choose func([]File) ([]File, error),
	progress func(Progress)) (Snapshot, error) {
	if revision == "" {
		revision = mainRevision
	}
	listing, err := c.List(ctx, repo, revision)
	if err != nil {
		return Snapshot{}, err
	}
	files, err := choose(listing.Files)
	if err != nil {
		return Snapshot{}, fmt.Errorf("%s: %w", repo, err)
	}
	var total int64
	for i := range files {
		if files[i].Hash == "" {
			if files[i], err = c.describe(ctx, listing, files[i]); err != nil {
				return Snapshot{}, err
			}
		}
		total += files[i].Size
	}
	var before int64
	for _, file := range files {
		report := func(done int64) {
			if progress != nil {
				progress(Progress{Repo: repo, File: file.Path, Done: before + done, Total: total})
			}
		}
		if err := c.fetch(ctx, listing, file, report); err != nil {
			if ctx.Err() != nil {
				return Snapshot{}, ctx.Err()
			}
			return Snapshot{}, fmt.Errorf("download %s of %s: %w", file.Path, repo, c.explain(err, repo, revision))
		}
		if err := c.link(listing, file); err != nil {
			return Snapshot{}, fmt.Errorf("put %s of %s into the cache: %w", file.Path, repo, c.explainCache(err))
		}
		before += file.Size
	}
	// Only now: until all files are there, the cache answers with what it had before.
	if err := c.setRevision(repo, revision, listing.Commit); err != nil {
		return Snapshot{}, fmt.Errorf("note the revision of %s in the cache: %w", repo, c.explainCache(err))
	}
	return c.Cached(repo, revision)
}
