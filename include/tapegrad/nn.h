// Modules and initializers.
#pragma once
#include <tapegrad/nn/activation.h>
#include <tapegrad/nn/attention.h>
#include <tapegrad/nn/cells.h>
#include <tapegrad/nn/channel_norm.h>
#include <tapegrad/nn/container.h>
#include <tapegrad/nn/conv.h>
#include <tapegrad/nn/dropout.h>
#include <tapegrad/nn/embedding.h>
#include <tapegrad/nn/init.h>
#include <tapegrad/nn/linear.h>
#include <tapegrad/nn/module.h>
#include <tapegrad/nn/norm.h>
#include <tapegrad/nn/pool.h>
#include <tapegrad/nn/position.h>
#include <tapegrad/nn/recurrent.h>
#include <tapegrad/nn/transformer.h>
