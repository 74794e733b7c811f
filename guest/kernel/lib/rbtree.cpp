// Red-black tree operations; see rbtree.h for the invariants.
#include "lib/rbtree.h"

namespace kernel {

void rb_root::replace_child(struct rb_node* parent, struct rb_node* old_child, struct rb_node* new_child) {
    if (!parent)
        rb_node = new_child;
    else if (parent->rb_left == old_child)
        parent->rb_left = new_child;
    else
        parent->rb_right = new_child;
}

void rb_root::rotate_left(struct rb_node* pivot) {
    struct rb_node* up = pivot->rb_right;
    pivot->rb_right = up->rb_left;
    if (up->rb_left) up->rb_left->set_parent(pivot);
    up->set_parent(pivot->parent());
    replace_child(pivot->parent(), pivot, up);
    up->rb_left = pivot;
    pivot->set_parent(up);
}

void rb_root::rotate_right(struct rb_node* pivot) {
    struct rb_node* up = pivot->rb_left;
    pivot->rb_left = up->rb_right;
    if (up->rb_right) up->rb_right->set_parent(pivot);
    up->set_parent(pivot->parent());
    replace_child(pivot->parent(), pivot, up);
    up->rb_right = pivot;
    pivot->set_parent(up);
}

void rb_root::insert(struct rb_node* fresh, struct rb_node* parent, struct rb_node** slot) {
    fresh->__rb_parent_color = reinterpret_cast<u64>(parent); // red
    fresh->rb_left = fresh->rb_right = nullptr;
    *slot = fresh;
    insert_fixup(fresh);
}

void rb_root::insert_fixup(struct rb_node* fresh) {
    while (struct rb_node* parent = fresh->parent()) {
        if (parent->black()) break;
        struct rb_node* grand = parent->parent(); // exists: a red node is never the root
        bool parent_is_left = grand->rb_left == parent;
        struct rb_node* uncle = parent_is_left ? grand->rb_right : grand->rb_left;
        if (uncle && uncle->red()) { // case 1: recolour and climb
            parent->set_black();
            uncle->set_black();
            grand->set_red();
            fresh = grand;
            continue;
        }
        if (parent_is_left) {
            if (parent->rb_right == fresh) { // case 2: straighten
                rotate_left(parent);
                parent = fresh;
            }
            parent->set_black(); // case 3
            grand->set_red();
            rotate_right(grand);
        } else {
            if (parent->rb_left == fresh) {
                rotate_right(parent);
                parent = fresh;
            }
            parent->set_black();
            grand->set_red();
            rotate_left(grand);
        }
        break;
    }
    rb_node->set_black();
}

void rb_root::erase(struct rb_node* dead) {
    struct rb_node* child;
    struct rb_node* parent;
    bool removed_black;
    if (dead->rb_left && dead->rb_right) {
        // The successor takes the place and colour of `dead`; its own place is what the tree loses.
        struct rb_node* heir = dead->rb_right;
        while (heir->rb_left) heir = heir->rb_left;
        removed_black = heir->black();
        child = heir->rb_right;
        if (heir->parent() == dead) {
            parent = heir;
        } else {
            parent = heir->parent();
            parent->rb_left = child;
            if (child) child->set_parent(parent);
            heir->rb_right = dead->rb_right;
            heir->rb_right->set_parent(heir);
        }
        heir->rb_left = dead->rb_left;
        heir->rb_left->set_parent(heir);
        replace_child(dead->parent(), dead, heir);
        heir->__rb_parent_color = dead->__rb_parent_color;
    } else {
        child = dead->rb_left ? dead->rb_left : dead->rb_right;
        parent = dead->parent();
        removed_black = dead->black();
        replace_child(parent, dead, child);
        if (child) child->set_parent(parent);
    }
    if (removed_black) erase_fixup(child, parent);
    dead->__rb_parent_color = 0;
    dead->rb_left = dead->rb_right = nullptr;
}

/// `fresh` (perhaps null) carries one black too few; `parent` is its parent.
void rb_root::erase_fixup(struct rb_node* fresh, struct rb_node* parent) {
    while (fresh != rb_node && (!fresh || fresh->black())) {
        bool left = parent->rb_left == fresh;
        struct rb_node* sibling =
            left ? parent->rb_right : parent->rb_left; // exists: it outweighs `fresh` by one black
        if (sibling->red()) {
            sibling->set_black();
            parent->set_red();
            if (left)
                rotate_left(parent);
            else
                rotate_right(parent);
            sibling = left ? parent->rb_right : parent->rb_left;
        }
        struct rb_node* near = left ? sibling->rb_left : sibling->rb_right;
        struct rb_node* far = left ? sibling->rb_right : sibling->rb_left;
        bool near_black = !near || near->black(), far_black = !far || far->black();
        if (near_black && far_black) {
            sibling->set_red();
            fresh = parent;
            parent = fresh->parent();
            continue;
        }
        if (far_black) {
            near->set_black();
            sibling->set_red();
            if (left)
                rotate_right(sibling);
            else
                rotate_left(sibling);
            sibling = left ? parent->rb_right : parent->rb_left;
            far = left ? sibling->rb_right : sibling->rb_left;
        }
        if (parent->black())
            sibling->set_black();
        else
            sibling->set_red();
        parent->set_black();
        far->set_black();
        if (left)
            rotate_left(parent);
        else
            rotate_right(parent);
        fresh = rb_node;
        break;
    }
    if (fresh) fresh->set_black();
}

struct rb_node* rb_root::first() const {
    struct rb_node* walk = rb_node;
    while (walk && walk->rb_left) walk = walk->rb_left;
    return walk;
}

struct rb_node* rb_root::last() const {
    struct rb_node* walk = rb_node;
    while (walk && walk->rb_right) walk = walk->rb_right;
    return walk;
}

struct rb_node* rb_next(const struct rb_node* from) {
    if (from->rb_right) {
        struct rb_node* walk = from->rb_right;
        while (walk->rb_left) walk = walk->rb_left;
        return walk;
    }
    struct rb_node* parent = from->parent();
    while (parent && parent->rb_right == from) {
        from = parent;
        parent = parent->parent();
    }
    return parent;
}

struct rb_node* rb_prev(const struct rb_node* from) {
    if (from->rb_left) {
        struct rb_node* walk = from->rb_left;
        while (walk->rb_right) walk = walk->rb_right;
        return walk;
    }
    struct rb_node* parent = from->parent();
    while (parent && parent->rb_left == from) {
        from = parent;
        parent = parent->parent();
    }
    return parent;
}

void rb_root_cached::insert(struct rb_node* fresh, struct rb_node* parent, struct rb_node** slot,
                            bool is_leftmost) {
    rb_root.insert(fresh, parent, slot);
    if (is_leftmost) rb_leftmost = fresh;
}

void rb_root_cached::erase(struct rb_node* dead) {
    if (rb_leftmost == dead) rb_leftmost = rb_next(dead);
    rb_root.erase(dead);
}

} // namespace kernel
