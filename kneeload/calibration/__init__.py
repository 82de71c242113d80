"""A person's own constants, fitted to strides with measured compartment forces and used on other motions of that person."""
