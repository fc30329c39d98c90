// What makes the parameters better: optimizers, schedules of their learning rate, clipping of gradients.
#pragma once
#include <tapegrad/optim/adadelta.h>
#include <tapegrad/optim/adagrad.h>
#include <tapegrad/optim/adam.h>
#include <tapegrad/optim/clip.h>
#include <tapegrad/optim/lbfgs.h>
#include <tapegrad/optim/optimizer.h>
#include <tapegrad/optim/plateau.h>
#include <tapegrad/optim/rmsprop.h>
#include <tapegrad/optim/schedule.h>
#include <tapegrad/optim/sgd.h>
