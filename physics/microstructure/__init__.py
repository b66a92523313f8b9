"""What is measured on an electrode once it stands in voxels."""
