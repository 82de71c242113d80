"""The reference knee as surface files with a manifest, installed as the package kneeload.meshes."""
