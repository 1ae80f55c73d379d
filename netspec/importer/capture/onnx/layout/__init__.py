"""Files of networks whose images have their channels last, as those of TensorFlow and Keras, with channels first."""
