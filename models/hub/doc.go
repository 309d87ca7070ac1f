// Package hub finds models in the cache that Hugging Face's libraries share, and downloads them there when asked to.
//
// [Client.Open] and [Client.Size] look at the cache alone; only [Client.Get], [Client.Download] and [Client.List] use
// the network. What is here was downloaded by this package or by Python's huggingface_hub: the layout is the same,
//
//	models--ORG--NAME/
//	  blobs/HASH               a file's bytes, under its SHA-256 (large files) or its git hash
//	  snapshots/COMMIT/FILE    symbolic links into blobs
//	  refs/main                the commit of a branch or tag
//	.locks/models--ORG--NAME/HASH.lock
//
// as are the environment variables: HF_HOME, HF_HUB_CACHE and XDG_CACHE_HOME say where the cache is, HF_ENDPOINT names
// another hub, HF_TOKEN or the token file that `huggingface-cli login` writes opens private and gated repositories, and
// HF_HUB_OFFLINE keeps from the network.
//
// A download takes only what a model needs, goes on where a broken one stopped, and counts as done when size and hash
// are those that the hub told. The token goes to the hub itself and to no host that it redirects to.
package hub
